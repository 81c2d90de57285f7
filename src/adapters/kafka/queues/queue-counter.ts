import type { QueueCounts } from '../../../contract/transport-admin.ts'
import { standingOf } from '../group/take-over.ts'
import type { Cluster } from '../connection/cluster.ts'
import type { QueueConsumer } from '../consuming/queue-consumer.ts'
import { nameOf } from '../consuming/lane.ts'
import type { Letters } from './letters.ts'
import { CompactedTopic } from '../records/compacted-topic.ts'
import { progressIn } from '../progress/progress.ts'
import { earliest, latest, type Places } from '../records/reader.ts'
import type { StoredQueue } from './registry.ts'
import { ratesIn } from '../progress/stored-rates.ts'
import { topicsOf } from './queue-topics.ts'

/** What the server says, of all queues at once. */
interface Situation {
  readonly begins: ReadonlyMap<string, Places>
  readonly ends: ReadonlyMap<string, Places>
  /** By group, then by the name of a lane. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** Of a topic that is not there. */
const nowhere: Places = { id: '', offsets: [] }

/**
 * Counts by lag: what lies between a queue's place and the end of its topics. Only of the lanes of this very process is it
 * known what of that is held, waits for its time, or is settled already.
 */
export class QueueCounter {
  readonly #cluster: Cluster
  readonly #local: (queue: string) => QueueConsumer | undefined

  constructor(cluster: Cluster, local: (queue: string) => QueueConsumer | undefined) {
    this.#cluster = cluster
    this.#local = local
  }

  all(lettersOf: (queue: string) => Letters): Promise<readonly QueueCounts[]> {
    const { registry, topics } = this.#cluster
    return topics.despiteRemovals(async () => {
      await registry.refresh()
      return this.#counts(registry.all(), lettersOf)
    })
  }

  /** @throws MillraceError UNKNOWN_QUEUE */
  async one(name: string, lettersOf: (queue: string) => Letters): Promise<QueueCounts> {
    const { registry, topics } = this.#cluster
    const [counts] = await topics.despiteRemovals(async () =>
      this.#counts([await registry.get(name)], lettersOf),
    )
    return counts!
  }

  async #counts(
    queues: readonly StoredQueue[],
    lettersOf: (queue: string) => Letters,
  ): Promise<readonly QueueCounts[]> {
    const { registry, topics } = this.#cluster
    const sources = await Promise.all(queues.map((queue) => registry.topicsFor(queue)))
    const names = queues.flatMap(({ name }, i) => {
      const { retry, dead, progress, tiers } = topicsOf(name)
      return [...sources[i]!, retry, dead, progress, ...tiers.map(({ topic }) => topic)]
    })
    const there = [...(await topics.look([...new Set(names)])).keys()]
    const [begins, ends, committed] = await Promise.all([
      this.#cluster.reader.places(there, earliest),
      this.#cluster.reader.places(there, latest),
      this.#committed(queues.map(({ name }) => name)),
    ])
    const counts: QueueCounts[] = []
    for (const [i, queue] of queues.entries()) {
      counts.push(await this.#count(queue, sources[i]!, { begins, ends, committed }, lettersOf(queue.name)))
    }
    return counts
  }

  async #count(
    queue: StoredQueue,
    sources: readonly string[],
    { begins, ends, committed }: Situation,
    letters: Letters,
  ): Promise<QueueCounts> {
    const own = topicsOf(queue.name)
    const stored = new CompactedTopic(this.#cluster.reader, own.progress, (value) => value.toString())
    await stored.refresh(ends.get(own.progress) ?? nowhere)
    const { lanes: progress } = progressIn(stored.entries)
    const local = this.#local(queue.name)
    const sum = { depth: 0, inFlight: 0, retrying: 0, delayed: 0, oldest: Infinity }
    for (const topic of [...sources, own.retry]) {
      const { id: topicId = '', offsets = [] } = ends.get(topic) ?? {}
      for (const [partition, end] of offsets.entries()) {
        const name = nameOf(topic, partition)
        const lane = local?.lanes.get(name)?.standing(this.#cluster.clock.now())
        const stands = standingOf(
          queue,
          { topic, topicId, partition },
          committed.get(queue.name)?.get(name),
          progress.get(name),
        )
        const mark = lane?.watermark ?? stands.mark ?? begins.get(topic)?.offsets[partition] ?? 0
        const settled =
          lane?.settled ??
          stands.progress?.settled.reduce(
            (total, [from, to]) => total + Math.max(to - Math.max(from, mark), 0),
            0,
          ) ??
          0
        const { held = 0, retrying = 0, delayed = 0 } = lane ?? {}
        const depth = Math.max(end - mark - settled - held - retrying - delayed, 0)
        sum.depth += depth
        sum.inFlight += held
        sum.retrying += retrying
        sum.delayed += delayed
        if (depth === 0) continue
        const first = await this.#cluster.reader.first(topic, partition, mark)
        if (first !== undefined) sum.oldest = Math.min(sum.oldest, first.timestamp)
      }
    }
    for (const { topic } of own.tiers) {
      const end = ends.get(topic)?.offsets[0] ?? 0
      const mark = local?.lanes.get(nameOf(topic, 0))?.watermark()
      sum.delayed += Math.max(end - (mark ?? committed.get(queue.name)?.get(nameOf(topic, 0)) ?? 0), 0)
    }
    const { depth, inFlight, retrying, delayed, oldest } = sum
    const now = this.#cluster.clock.now()
    return {
      name: queue.name,
      depth,
      inFlight,
      retrying,
      delayed,
      dead: await letters.count(ends.get(own.dead) ?? nowhere),
      oldestMs: oldest === Infinity ? 0 : Math.max(now - oldest, 0),
      ...ratesIn(stored.entries, now),
    }
  }

  async #committed(groups: readonly string[]): Promise<Situation['committed']> {
    if (groups.length === 0) return new Map()
    const listed = await this.#cluster.client.admin.listConsumerGroupOffsets({ groups: [...groups] })
    return new Map(
      listed.map(({ groupId, topics }) => [
        groupId,
        new Map(
          topics.flatMap(({ name, partitions }) =>
            partitions
              .filter(({ committedOffset }) => committedOffset >= 0n)
              .map(({ partitionIndex, committedOffset }) => [
                nameOf(name, partitionIndex),
                Number(committedOffset),
              ]),
          ),
        ),
      ]),
    )
  }
}
