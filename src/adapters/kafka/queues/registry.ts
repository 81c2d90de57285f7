import { keptOf } from '../../../contract/declared.ts'
import type { DeclareReport, QueueSpec, Subscription } from '../../../contract/transport.ts'
import { systemClock } from '../../../clock/clock.ts'
import { MillraceError } from '../../../errors/millrace-error.ts'
import { matches } from '../../../event/names.ts'
import { failureIn, type NewRecord, type Producing } from '../producing/producing.ts'
import { earliest, latest, type Places, type Reader } from '../records/reader.ts'
import { isReserved, ownerOf, reserved } from './reserved.ts'
import { registryRecordIn, type PlacesByTopic, type RegistryRecord } from './registry-record.ts'
import { registryTopic, type Topics } from './topics.ts'
import { namesOf, topicsOf } from './queue-topics.ts'

export interface StoredSubscription extends Subscription {
  /** Where it begins, in the partitions that were there when it was declared. In others: at their beginning. */
  readonly start: PlacesByTopic
  /** Where it ends, if it was taken away: what lies before it is still the queue's. */
  readonly until?: PlacesByTopic
}

export interface StoredQueue {
  readonly name: string
  readonly order: boolean
  readonly subscriptions: ReadonlyMap<string, StoredSubscription>
}

/**
 * The queues and their subscriptions, in one compacted topic. Each subscription is a record of its own: declares of several
 * processes at once then add up, where Kafka could not compare and set.
 */
export class Registry {
  readonly #reader: Reader
  readonly #producing: Producing
  readonly #topics: Topics
  readonly #met: (offset: number) => void
  readonly #queues = new Map<
    string,
    { name: string; order: boolean; subscriptions: Map<string, StoredSubscription> }
  >()
  #position = 0
  #refreshing: Promise<void> | undefined
  #following: Promise<void> | undefined
  /** When the last look at the topic began, by the monotonic clock. What was declared before is known. */
  freshAt = 0
  /** Counts the changes. */
  version = 0
  /** The offset of the first record that is none of ours, if there is one. Such records are passed over. */
  strange: number | undefined

  /** @param met called with the offset of the first record that is none of ours, if there is one */
  constructor(reader: Reader, producing: Producing, topics: Topics, met: (offset: number) => void) {
    this.#met = met
    this.#reader = reader
    this.#producing = producing
    this.#topics = topics
  }

  all(): readonly StoredQueue[] {
    return [...this.#queues.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** @throws MillraceError UNKNOWN_QUEUE */
  async get(name: string): Promise<StoredQueue> {
    await this.refresh()
    return this.known(name)
  }

  /** As of the last look. @throws MillraceError UNKNOWN_QUEUE */
  known(name: string): StoredQueue {
    const queue = this.#queues.get(name)
    if (queue === undefined) throw new MillraceError('UNKNOWN_QUEUE', `There is no queue '${name}'`)
    return queue
  }

  /** Reads what is new, as of this call: a look that is under way already may have missed it. */
  refresh(): Promise<void> {
    if (this.#refreshing === undefined) return this.#refresh()
    this.#following ??= this.#refreshing.then(
      () => this.#refresh(),
      () => this.#refresh(),
    )
    return this.#following
  }

  /** The topics that events of a queue come from. */
  async topicsFor(queue: StoredQueue): Promise<readonly string[]> {
    const named = new Set([...queue.subscriptions.values()].map(({ topic }) => topic))
    if (!named.delete('*')) return [...named]
    return [...new Set([...named, ...(await this.#published())])]
  }

  /** Which of these topics take no events. */
  async reservedAmong(topics: readonly string[]): Promise<readonly string[]> {
    const isQueue = (name: string): boolean => this.#queues.has(name)
    // A topic that was there before a queue is never the queue's.
    const unsure = topics.filter((topic) => ownerOf(topic) !== undefined && !this.#topics.has(topic))
    if (unsure.some((topic) => !isReserved(topic, isQueue))) await this.refresh()
    return topics.filter((topic) => isReserved(topic, isQueue))
  }

  declare(specs: readonly QueueSpec[]): Promise<DeclareReport> {
    return this.#topics.despiteRemovals(() => this.#declare(specs))
  }

  async #declare(specs: readonly QueueSpec[]): Promise<DeclareReport> {
    // A queue that somebody has removed has no topics any more.
    await this.refresh()
    const names = [...new Set(specs.flatMap(({ subscriptions }) => subscriptions.map(({ topic }) => topic)))]
    await this.#checkNames(specs, names)
    await Promise.all([
      this.#topics.ensure(names.filter((name) => name !== '*')),
      this.#topics.ensureQueues(specs.map(({ name }) => name)),
    ])
    // Before the look at what is there: what somebody publishes after an equal declare of theirs then lies behind these ends.
    const ends = await this.#places(specs, latest)
    const begins = specs.some(({ from }) => from === 'beginning') ? await this.#places(specs, earliest) : {}
    await this.refresh()
    const created: string[] = []
    const kept: string[] = []
    const records: NewRecord[] = []
    for (const spec of specs) {
      const { name, order, subscriptions, from } = spec
      const queue = this.#queues.get(name)
      if (queue === undefined) {
        created.push(name)
        records.push(recordOf([name], { order }))
      } else kept.push(...keptOf(spec, currentOf(queue)))
      for (const { topic, pattern } of subscriptions) {
        const known = queue?.subscriptions.get(keyOf({ topic, pattern }))
        if (known !== undefined && known.until === undefined) continue
        const start = from === 'beginning' && queue === undefined ? begins : ends
        records.push(recordOf([name, topic, pattern], { start: placesOf(start, topic) }))
      }
    }
    await this.#write(records)
    return { created, kept }
  }

  /** @throws MillraceError TOPIC_RESERVED */
  async #checkNames(specs: readonly QueueSpec[], topics: readonly string[]): Promise<void> {
    const fresh = specs.map(({ name }) => name).filter((name) => !this.#queues.has(name))
    const isQueue = (name: string): boolean => this.#queues.has(name) || fresh.includes(name)
    const taken = topics.find((topic) => isReserved(topic, isQueue))
    if (taken !== undefined) throw reserved(taken)
    const [foreign] = await this.#topics.foreign(fresh.flatMap((name) => namesOf(topicsOf(name))))
    if (foreign === undefined) return
    const message = `The queue '${ownerOf(foreign)}' would need the topic '${foreign}' for itself, which somebody else has made`
    throw new MillraceError('TOPIC_RESERVED', message)
  }

  async unbind(name: string, list: readonly Subscription[]): Promise<void> {
    const queue = await this.get(name)
    const gone = list
      .flatMap((one) => queue.subscriptions.get(keyOf(one)) ?? [])
      .filter(({ until }) => until === undefined)
    const ends = await this.#topics.despiteRemovals(async () => {
      const topics = gone.some(({ topic }) => topic === '*')
        ? await this.topicsFor(queue)
        : gone.map(({ topic }) => topic)
      const missing = new Set(await this.#topics.missing([...new Set(topics)]))
      const there = [...new Set(topics)].filter((topic) => !missing.has(topic))
      return Object.fromEntries(await this.#reader.places(there, latest))
    })
    await this.#write(
      gone.map(({ topic, pattern, start }) =>
        recordOf([name, topic, pattern], { start, until: placesOf(ends, topic) }),
      ),
    )
  }

  async remove(queue: StoredQueue): Promise<void> {
    const { name, subscriptions } = queue
    const parts = [...subscriptions.values()].map(({ topic, pattern }) => [name, topic, pattern])
    await this.#write([...parts, [name]].map((key) => recordOf(key, undefined)))
  }

  /** All topics that are none of a queue's own. */
  async #published(): Promise<readonly string[]> {
    const own = new Set(this.all().flatMap(({ name }) => namesOf(topicsOf(name))))
    return (await this.#topics.list()).filter((name) => !own.has(name))
  }

  async #places(specs: readonly QueueSpec[], which: typeof earliest | typeof latest): Promise<PlacesByTopic> {
    const named = specs.flatMap(({ subscriptions }) => subscriptions.map(({ topic }) => topic))
    const all = named.includes('*') ? [...named, ...(await this.#published())] : named
    const topics = [...new Set(all)].filter((topic) => topic !== '*')
    return Object.fromEntries(await this.#reader.places(topics, which))
  }

  async #write(records: readonly NewRecord[]): Promise<void> {
    const error = failureIn(await this.#producing.send(records))
    if (error !== undefined) throw error
    await this.refresh()
  }

  #refresh(): Promise<void> {
    this.#following = undefined
    this.#refreshing = this.#read().finally(() => (this.#refreshing = undefined))
    return this.#refreshing
  }

  async #read(): Promise<void> {
    const began = systemClock.monotonic()
    await this.#topics.ensureRegistry()
    const before = this.#position
    this.#position = await this.#reader.read(registryTopic, before, ({ record, offset }) => {
      const { key, value } = record
      if (key === null) return
      const said = registryRecordIn(key.toString(), value?.toString())
      if (said === undefined) this.#passOver(offset)
      else this.#apply(said)
    })
    if (this.#position !== before) this.version++
    this.freshAt = began
  }

  #passOver(offset: number): void {
    if (this.strange !== undefined) return
    this.strange = offset
    this.#met(offset)
  }

  #apply(said: RegistryRecord): void {
    const { name } = said
    const queue = this.#queues.get(name)
    if (said.of === 'subscription') {
      const { topic, pattern, value } = said
      const key = keyOf({ topic, pattern })
      if (value === undefined) queue?.subscriptions.delete(key)
      else queue?.subscriptions.set(key, { topic, pattern, ...value })
    } else if (said.value === undefined) {
      this.#queues.delete(name)
      this.#topics.forget(namesOf(topicsOf(name)))
    } else {
      this.#queues.set(name, { name, subscriptions: queue?.subscriptions ?? new Map(), ...said.value })
    }
  }
}

/** A partition of a topic, and which of the topics that ever had this name it is. */
export interface Partition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

/** Whether a subscription of the queue takes an event of this type from this place. */
export function subscribes(queue: StoredQueue, type: string, at: Partition, offset: number): boolean {
  for (const one of queue.subscriptions.values()) {
    if ((one.topic !== '*' && one.topic !== at.topic) || !matches(one.pattern, type)) continue
    if (offset < (offsetIn(one.start, at) ?? 0)) continue
    if (one.until === undefined || offset < (offsetIn(one.until, at) ?? 0)) return true
  }
  return false
}

/** Where a queue begins to read a partition that it has never committed anything for. */
export function startOf(queue: StoredQueue, at: Partition): number | undefined {
  const starts = [...queue.subscriptions.values()]
    .filter(({ topic }) => topic === '*' || topic === at.topic)
    .map(({ start }) => offsetIn(start, at))
  // One that does not know the partition begins at its beginning.
  const known = starts.filter((start) => start !== undefined)
  return known.length === 0 || known.length < starts.length ? undefined : Math.min(...known)
}

/** None in a topic that took the place of the one that is meant: it is another, and new to the queue. */
function offsetIn(places: PlacesByTopic, { topic, topicId, partition }: Partition): number | undefined {
  const known = places[topic]
  return known?.id === topicId ? known.offsets[partition] : undefined
}

function placesOf(places: PlacesByTopic, topic: string): PlacesByTopic {
  if (topic === '*') return places
  const known: Places | undefined = places[topic]
  return known === undefined ? {} : { [topic]: known }
}

function keyOf({ topic, pattern }: Subscription): string {
  return `${topic} ${pattern}`
}

function recordOf(key: readonly string[], value: object | undefined): NewRecord {
  return {
    topic: registryTopic,
    key: JSON.stringify(key),
    value: value === undefined ? undefined : JSON.stringify(value),
  }
}

/** What was taken away from the queue is not its own any more. */
function currentOf({ order, subscriptions }: StoredQueue): Pick<QueueSpec, 'order' | 'subscriptions'> {
  return { order, subscriptions: [...subscriptions.values()].filter(({ until }) => until === undefined) }
}
