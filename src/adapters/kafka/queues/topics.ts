import type { ClusterMetadata } from '@platformatic/kafka'
import { pause, systemClock } from '../../../clock/clock.ts'
import { MillraceError } from '../../../errors/millrace-error.ts'
import type { Client } from '../connection/client.ts'
import { failure, isUnknownTopic, says } from '../connection/failures.ts'
import { topicsOf } from './queue-topics.ts'

/** Which queues there are and what they subscribe to. */
export const registryTopic = 'millrace.queues'

/** How soon a publisher sees that a topic has changed, in milliseconds. */
const renewal = 5_000

/** How long brokers may take to know a topic that was made, in milliseconds, and how soon they are asked again. */
const appearance = 15_000
const firstWait = 25
const longestWait = 1_000

/** How often is looked for a topic before it is taken for removed. */
const looksForMissing = 3

/** How often work is done in all that meets a topic which is not there any more. */
const attempts = 3

/** Events of ours that a move carries further have attributes of ours besides: the trail of their failures, a record. */
export const moveReserve = 64 * 1024

/** A topic's entry in the list of kinds of things that have settings. */
export const topicResource = 2 as const
const unlimited = '-1'

/** Which of the topics that ever had this name it is, and how many partitions it has now. */
export interface TopicShape {
  readonly id: string
  readonly partitions: number
}

interface NewTopic {
  readonly topic: string
  readonly partitions: number
  readonly config: 'broker' | 'kept' | 'compacted'
}

export interface TopicOptions {
  readonly partitions: number
  /** -1: as the broker says. */
  readonly replicas: number
  /** The largest record that the broker takes, in bytes. */
  readonly maxBytes: number
}

/** Makes topics. Nothing is left to the broker's auto-creation, whose defaults lose what waits longer than a week. */
export class Topics {
  readonly options: TopicOptions
  readonly #client: Client
  readonly #known = new Map<string, TopicShape>()
  #renewedAt = systemClock.monotonic()

  constructor(client: Client, options: TopicOptions) {
    this.#client = client
    this.options = options
  }

  /** Whether the topic is known to be there. */
  has(topic: string): boolean {
    return this.#known.has(topic)
  }

  forget(topics: readonly string[]): void {
    for (const topic of topics) this.#known.delete(topic)
  }

  /**
   * Does work that looks at topics again, and afresh, where one of them was removed in the middle of it: any process may.
   * @throws what the work throws
   */
  async despiteRemovals<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (attempt === attempts || !isUnknownTopic(Object(error).cause)) throw error
        this.#known.clear()
      }
    }
  }

  /** Topics that events are published to. */
  ensure(names: readonly string[]): Promise<void> {
    this.#renew()
    const { partitions } = this.options
    return this.#ensure(names.map((topic) => ({ topic, partitions, config: 'broker' })))
  }

  ensureRegistry(): Promise<void> {
    return this.#ensure([{ topic: registryTopic, partitions: 1, config: 'compacted' }])
  }

  /** The retry topic has as many partitions as others, and more as soon as a topic of its queue has. */
  ensureQueues(queues: readonly string[]): Promise<void> {
    const { partitions } = this.options
    return this.#ensure(
      queues
        .map(topicsOf)
        .flatMap(({ retry, dead, progress, tiers: waits }): NewTopic[] => [
          { topic: retry, partitions, config: 'kept' },
          ...waits.map(({ topic }): NewTopic => ({ topic, partitions: 1, config: 'kept' })),
          { topic: dead, partitions: 1, config: 'compacted' },
          { topic: progress, partitions: 1, config: 'compacted' },
        ]),
    )
  }

  /** All that users may publish to: not those of Kafka itself; those of queues are left out by whoever knows the queues. */
  async list(): Promise<readonly string[]> {
    const names = await this.#client.admin.listTopics()
    return names.filter((name) => !name.startsWith('__') && name !== registryTopic)
  }

  /** How many partitions the topics have; those that are not there are left out. */
  async partitions(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const missing = names.filter((name) => !this.#known.has(name))
    const looked = missing.length === 0 ? undefined : await this.look(missing)
    // Not out of the cache again: in the meantime somebody may have made it forget.
    const shapes = names.map((name) => [name, looked?.get(name) ?? this.#known.get(name)] as const)
    return new Map(shapes.flatMap(([name, shape]) => (shape === undefined ? [] : [[name, shape.partitions]])))
  }

  /** What the topics are at this moment; those that are not there are left out. */
  async look(names: readonly string[]): Promise<ReadonlyMap<string, TopicShape>> {
    const found = new Map(
      [...(await this.#metadata(names))].map(([name, { id, partitionsCount }]) => [
        name,
        { id, partitions: partitionsCount },
      ]),
    )
    for (const name of names) this.#learn(name, found.get(name))
    return found
  }

  /** Those that no broker has heard of for a moment: one alone may not know yet what is there. */
  async missing(names: readonly string[]): Promise<readonly string[]> {
    let missing = names
    for (let looks = 0; looks < looksForMissing && missing.length > 0; looks++) {
      if (looks > 0) await pause(systemClock, longestWait)
      const there = await this.look(missing)
      missing = missing.filter((name) => !there.has(name))
    }
    return missing
  }

  /** Those of these topics of queues that are there and were not made for a queue: they would forget what waits there. */
  async foreign(names: readonly string[]): Promise<readonly string[]> {
    const there = [...(await this.partitions(names)).keys()]
    if (there.length === 0) return []
    const described = await this.#client.admin.describeConfigs({
      resources: there.map((resourceName) => ({
        resourceType: topicResource,
        resourceName,
        configurationKeys: ['retention.ms'],
      })),
    })
    return described
      .filter(({ configs }) => configs.some(({ value }) => value !== unlimited))
      .map(({ resourceName }) => resourceName)
  }

  /** Gives the topic so many partitions, if it has fewer. */
  async grow(topic: string, partitions: number): Promise<TopicShape> {
    try {
      await this.#client.admin.createPartitions({ topics: [{ name: topic, count: partitions }] })
    } catch (error) {
      // Somebody else was first.
      if (!says(error, 'INVALID_PARTITIONS'))
        throw failure(error, `'${topic}' could not be given ${partitions} partitions`)
    }
    return this.#appear([topic], partitions).then((found) => found.get(topic) as TopicShape)
  }

  async delete(names: readonly string[]): Promise<void> {
    const there = [...(await this.partitions(names)).keys()]
    this.forget(names)
    if (there.length > 0) await this.#client.admin.deleteTopics({ topics: there })
  }

  /** Beside the publish: it does not wait for it, and hears itself of what is wrong. */
  #renew(): void {
    const now = systemClock.monotonic()
    if (now - this.#renewedAt < renewal) return
    this.#renewedAt = now
    this.look([...this.#known.keys()]).catch(() => {})
  }

  async #ensure(wanted: readonly NewTopic[]): Promise<void> {
    const unknown = wanted.filter(({ topic }) => !this.#known.has(topic))
    if (unknown.length === 0) return
    const there = await this.look(unknown.map(({ topic }) => topic))
    const missing = unknown.filter(({ topic }) => !there.has(topic))
    if (missing.length === 0) return
    const byConfig = Map.groupBy(missing, ({ config }) => config)
    await Promise.all([...byConfig].map(([config, topics]) => this.#create(config, topics)))
    await this.#appear(missing.map(({ topic }) => topic))
  }

  /** Brokers learn of a topic, and of its partitions, only after they were made. Until then records could go to wrong partitions. */
  async #appear(names: readonly string[], partitions = 1): Promise<ReadonlyMap<string, TopicShape>> {
    const deadline = systemClock.monotonic() + appearance
    for (let wait = firstWait; ; wait = Math.min(2 * wait, longestWait)) {
      const there = await this.look(names)
      const hidden = names.filter((name) => (there.get(name)?.partitions ?? 0) < partitions)
      if (hidden.length === 0) return there
      if (systemClock.monotonic() > deadline) {
        const message = `The brokers do not know ${hidden.join(', ')} ${appearance / 1_000} s after it was made or grew`
        throw new MillraceError('KAFKA_FAILED', message)
      }
      await pause(systemClock, wait)
    }
  }

  async #create(config: NewTopic['config'], topics: readonly NewTopic[]): Promise<void> {
    const { replicas, maxBytes } = this.options
    try {
      await this.#client.admin.createTopics({
        topics: topics.map(({ topic, partitions }) => ({ topic, partitions, replicas })),
        configs: configsOf(config, maxBytes),
      })
    } catch (error) {
      // Somebody else was first with one of them. Kafka has made the others all the same.
      if (!says(error, 'TOPIC_ALREADY_EXISTS')) throw failure(error, 'Topics could not be created')
    }
  }

  /** The producer has metadata of its own, for minutes, by which it would send to a topic that was. */
  #learn(name: string, shape: TopicShape | undefined): void {
    const before = this.#known.get(name)
    if (before?.id !== shape?.id || before?.partitions !== shape?.partitions)
      this.#client.producer.clearMetadata()
    if (shape === undefined) this.#known.delete(name)
    else this.#known.set(name, shape)
  }

  /** The client refuses to tell of any topic if one is not there. */
  async #metadata(names: readonly string[]): Promise<ClusterMetadata['topics']> {
    const ask = async (topics: string[], options: { readonly retries?: number } = {}) =>
      (await this.#client.admin.metadata({ topics, forceUpdate: true, ...options })).topics
    try {
      return await ask([...names], { retries: 0 })
    } catch (error) {
      if (!isUnknownTopic(error)) throw failure(error, 'Topics could not be looked up')
    }
    try {
      const there = new Set(await this.#client.admin.listTopics())
      const known = names.filter((name) => there.has(name))
      return known.length === 0 ? new Map() : await ask(known)
    } catch (error) {
      throw failure(error, 'Topics could not be looked up')
    }
  }
}

function configsOf(config: NewTopic['config'], maxBytes: number): { name: string; value: string }[] {
  if (config === 'broker') return []
  const own = [
    { name: 'retention.ms', value: unlimited },
    { name: 'retention.bytes', value: unlimited },
    { name: 'max.message.bytes', value: String(maxBytes + moveReserve) },
  ]
  if (config === 'kept') return [...own, { name: 'cleanup.policy', value: 'delete' }]
  return [
    ...own,
    { name: 'cleanup.policy', value: 'compact' },
    // Such a topic is read from its beginning, and the latest segment is never compacted: keep it short.
    { name: 'segment.bytes', value: String(Math.max(4 * 1024 * 1024, maxBytes + moveReserve)) },
    { name: 'min.cleanable.dirty.ratio', value: '0.1' },
  ]
}
