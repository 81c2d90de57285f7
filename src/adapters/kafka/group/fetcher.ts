import type { Consumer } from '@platformatic/kafka'
import { systemClock, type Timer } from '../../../clock/clock.ts'
import type { Client } from '../connection/client.ts'
import { isUnknownTopic, says } from '../connection/failures.ts'
import type { Lane } from '../consuming/lane.ts'

const longPoll = 500
/** While some lanes are not asked for, others must not keep the connection busy. */
const shortPoll = 25
const partitionBytes = 1024 * 1024
const requestBytes = 16 * 1024 * 1024
const firstWait = 50
const longestWait = 1_000
/** How soon lanes are looked for that no broker leads, as far as is known; and after how many looks that is said. */
const searchWait = 250
const longestSearchWait = 4_000
const patientSearches = 4
const nobody = -1

export interface FetcherEvents {
  /** All lanes that may be fetched. */
  lanes(): Iterable<Lane>
  fetched(): void
  /** The lanes' offsets are there no more. */
  expired(lanes: readonly Lane[]): void
  /** A topic may be gone, or another have its name. */
  replaced(): void
  failed(error: unknown): void
}

/**
 * Fetches for all lanes of a queue, one request at a time for each broker. Without the client's stream, whose objects and
 * buffers nobody needs here; on a connection of its own, because a broker answers what comes on one in its order, and
 * a fetch waits.
 */
export class Fetcher {
  readonly #consumer: Consumer
  readonly #events: FetcherEvents
  readonly #busy = new Set<number>()
  /** How many brokers lead the lanes. */
  #nodes = 1
  #closed = false
  #failures = 0
  #searching: Timer | undefined
  #searches = 0

  constructor(client: Client, events: FetcherEvents) {
    this.#consumer = client.reader()
    this.#events = events
  }

  /** There may be something to fetch. */
  look(): void {
    if (!this.#closed && this.#busy.size < this.#nodes)
      this.#run().catch((error: unknown) => this.#failed(error))
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#searching?.cancel()
    await this.#consumer.close()
  }

  async #run(): Promise<void> {
    const lanes = [...this.#events.lanes()]
    const hungry = lanes.filter((lane) => lane.hungry)
    if (hungry.length === 0) return
    this.#track(lanes)
    const { topics } = await this.#consumer.metadata({
      topics: [...new Set(hungry.map(({ topic }) => topic))],
    })
    const byNode = Map.groupBy(hungry, ({ topic, topicId, partition }) => {
      const found = topics.get(topic)
      return (found?.id === topicId ? found.partitions[partition]?.leader : undefined) ?? nobody
    })
    const leaderless = byNode.get(nobody)
    byNode.delete(nobody)
    if (leaderless === undefined) this.#searches = 0
    else this.#search(leaderless)
    this.#nodes = Math.max(byNode.size, 1)
    for (const [node, group] of byNode) {
      if (this.#busy.has(node) || this.#closed) continue
      this.#busy.add(node)
      this.#fetch(node, group, hungry.length < lanes.length ? shortPoll : longPoll).then(
        () => this.#done(node),
        (error: unknown) => {
          this.#busy.delete(node)
          this.#failed(error, group)
        },
      )
    }
  }

  async #fetch(node: number, lanes: readonly Lane[], wait: number): Promise<void> {
    const byTopic = Map.groupBy(lanes, ({ topicId }) => topicId)
    const { responses } = await this.#consumer.fetch({
      node,
      maxWaitTime: wait,
      minBytes: 1,
      maxBytes: requestBytes,
      topics: [...byTopic].map(([topicId, group]) => ({
        topicId,
        partitions: group.map(({ partition, position }) => ({
          partition,
          currentLeaderEpoch: -1,
          fetchOffset: BigInt(position),
          lastFetchedEpoch: -1,
          partitionMaxBytes: partitionBytes,
        })),
      })),
    })
    const now = systemClock.monotonic()
    const laneOf = new Map(lanes.map((lane) => [`${lane.topicId}:${lane.partition}`, lane]))
    for (const { topicId, partitions } of responses) {
      for (const { partitionIndex, records } of partitions) {
        const lane = laneOf.get(`${topicId}:${partitionIndex}`)
        if (lane !== undefined && records != null && !lane.lost) lane.accept(records, now)
      }
    }
  }

  /** What is known of these lanes is out of date, or their broker is away. */
  #search(lanes: readonly Lane[]): void {
    if (this.#searching !== undefined) return
    if (++this.#searches === patientSearches)
      this.#events.failed(new Error(`No broker leads ${lanes.map(({ name }) => name).join(', ')}`))
    const wait = Math.min(searchWait * 2 ** (this.#searches - 1), longestSearchWait)
    this.#searching = systemClock.after(wait, () => {
      this.#searching = undefined
      this.#consumer.clearMetadata()
      this.#events.replaced()
      this.look()
    })
  }

  #done(node: number): void {
    this.#busy.delete(node)
    this.#failures = 0
    this.#events.fetched()
    this.look()
  }

  #failed(error: unknown, lanes: readonly Lane[] = []): void {
    if (this.#closed) return
    if (says(error, 'OFFSET_OUT_OF_RANGE')) {
      this.#failures++
      this.#events.expired(lanes)
    } else if (isUnknownTopic(error)) this.#events.replaced()
    else if (
      !says(error, 'FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH') &&
      ++this.#failures === 3
    ) {
      this.#events.failed(error)
    }
    this.#consumer.clearMetadata()
    systemClock.after(Math.min(firstWait * 2 ** this.#failures, longestWait), () => this.look())
  }

  /** The client looks up the metadata of all that it tracks, and fails if one of them is not there. */
  #track(lanes: readonly Lane[]): void {
    const { topics } = this.#consumer
    const wanted = new Set(lanes.map(({ topic }) => topic))
    for (const topic of topics.current) if (!wanted.has(topic)) topics.untrack(topic)
    for (const topic of wanted) if (!topics.has(topic)) topics.track(topic)
  }
}
