import type { GroupAssignment } from '@platformatic/kafka'
import { pause, systemClock } from '../../../clock/clock.ts'
import { within } from '../../../clock/within.ts'
import type { ErrorCode } from '../../../errors/codes.ts'
import { MillraceError } from '../../../errors/millrace-error.ts'
import { assignerFor, undivided } from './assigner.ts'
import { checkLanes, takeOver } from './take-over.ts'
import type { Cluster } from '../connection/cluster.ts'
import { Committer } from '../progress/committer.ts'
import { failure } from '../connection/failures.ts'
import { Fetcher } from './fetcher.ts'
import { nameOf, type Lane } from '../consuming/lane.ts'
import { lookUp } from './look-up.ts'
import { Membership } from './membership.ts'
import type { StoredQueue } from '../queues/registry.ts'
import type { LastMinute } from '../../../contract/last-minute.ts'
import type { TopicShape } from '../queues/topics.ts'
import { topicsOf } from '../queues/queue-topics.ts'

/** How soon new topics and subscriptions of other processes are seen, in milliseconds. */
const watchInterval = 5_000
/** How long the last commit may take, in milliseconds. */
const patienceAtClose = 900
const endings: ReadonlySet<string> = new Set(['EVENTS_EXPIRED', 'LOG_TRUNCATED', 'UNKNOWN_QUEUE'])

export interface GroupEvents {
  /** Everything handed out is to come back now. Resolves when it has, or when that takes too long. */
  revoked(lanes: readonly string[]): Promise<void>
  /** This process has these lanes now, besides those it had before. */
  gained(lanes: readonly Lane[]): void
  /** These lanes are somebody else's. */
  lost(lanes: readonly Lane[]): void
  fetched(): void
  /** Something goes wrong, and on. Usually the connection. */
  failed(message: string, error: unknown, code?: ErrorCode): void
}

/** The lanes that this process has of a queue: joins, fetches, commits. */
export class Group {
  readonly membership: Membership
  readonly committer: Committer
  readonly lanes = new Map<string, Lane>()
  #paused = true
  /** Resolves when it is known whose the lanes are: at once, but for the time between a revocation and the next assignment. */
  decided: Promise<void> = Promise.resolve()
  #decide = (): void => {}
  /** Why nothing can be handed out any more. */
  error: MillraceError | undefined
  readonly #cluster: Cluster
  readonly #queue: StoredQueue
  readonly #events: GroupEvents
  readonly #fetcher: Fetcher
  readonly #closing = new AbortController()
  /** Counts the assignments: what was begun for an older one is dropped. */
  #assignment = 0
  #ready = (): void => {}
  #closed: Promise<void> | undefined
  /** The topics that were there at the last look. */
  #topics: ReadonlyMap<string, TopicShape> = new Map()
  #looking: Promise<void> | undefined
  /** How many partitions each topic had that the queue subscribes to. */
  #sources: ReadonlyMap<string, number> = new Map()

  constructor(cluster: Cluster, queue: StoredQueue, lease: number, rates: LastMinute, events: GroupEvents) {
    this.#cluster = cluster
    this.#queue = queue
    this.#events = events
    const assigner = assignerFor(topicsOf(queue.name), queue.order)
    this.membership = new Membership(
      cluster.client,
      queue.name,
      { lease, assigner },
      {
        revoked: (topics) => this.#revoked(topics),
        assigned: (assignments, expelled) => void this.#assigned(assignments, expelled),
        certain: () => events.fetched(),
        failed: (error) => events.failed('The group could not be joined again; trying on', error),
      },
    )
    this.committer = new Committer({
      membership: this.membership,
      producing: cluster.producing,
      progressTopic: topicsOf(queue.name).progress,
      rates,
      maxBytes: cluster.settings.maxBytes,
      clock: cluster.clock,
      failed: (error) => this.#commitFailed(error),
      recovered: () => events.failed('The progress is committed again', undefined),
      dropped: (message) => events.failed(message, undefined, 'LEASE_LOST'),
    })
    this.#fetcher = new Fetcher(cluster.client, {
      // Whoever lacks events stands still, so that nothing is passed over.
      lanes: () => (this.error === undefined ? this.lanes.values() : []),
      fetched: () => events.fetched(),
      expired: (lanes) => void this.#expired(lanes),
      replaced: () => void this.#look(),
      failed: (error) => events.failed('Fetching fails; trying on', error),
    })
  }

  /** Resolves when the first lanes can be taken from. */
  async open(): Promise<void> {
    const ready = new Promise<void>((resolve) => (this.#ready = resolve))
    this.#topics = await this.#lookUp()
    await this.membership.join([...this.#topics.keys()])
    await ready
    if (this.error !== undefined) throw this.error
    if (this.#closing.signal.aborted)
      throw new MillraceError('STOPPED', `The queue '${this.#queue.name}' was closed while it opened`)
    void this.#watch()
  }

  /** Nothing is handed out between a revocation and the next assignment, nor while others may have the lanes. */
  get paused(): boolean {
    return this.#paused || !this.membership.certain
  }

  /** The topics, if order by key leaves all keys of them to one process though they have more partitions. */
  get undivided(): string | undefined {
    return this.#queue.order ? undivided(this.#sources) : undefined
  }

  /** There is room for more. */
  look(): void {
    this.#fetcher.look()
  }

  /** Whether the queue is there no more. */
  get removed(): boolean {
    return this.error?.code === 'UNKNOWN_QUEUE'
  }

  /** Commits, and leaves without making others wait. Both end soon if no broker answers. An `open` under way fails. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#paused = true
    this.#decide()
    this.#ready()
    await this.#fetcher.close()
    // A queue that was removed has no place for it any more.
    if (!this.removed) await this.#commitLast()
    try {
      await this.membership.leave()
    } catch (error) {
      this.#events.failed(
        'The group could not be left: it misses this process when its session times out',
        error,
      )
    }
  }

  async #commitLast(): Promise<void> {
    let why: unknown = 'No broker has answered'
    try {
      if (await within(this.committer.close(), patienceAtClose)) return
    } catch (error) {
      why = error
    }
    this.#events.failed('The last progress could not be committed: some events come again', why)
  }

  async #lookUp(): Promise<ReadonlyMap<string, TopicShape>> {
    const { all, sources } = await lookUp(this.#cluster, this.#queue.name)
    this.#sources = sources
    return all
  }

  async #revoked(topics: ReadonlyMap<string, TopicShape>): Promise<void> {
    this.#paused = true
    this.#loseReplaced(topics)
    await this.#events.revoked([...this.lanes.keys()])
    this.#decide()
    this.decided = new Promise((resolve) => (this.#decide = resolve))
    await this.committer.attempt()
  }

  async #assigned(assignments: readonly GroupAssignment[], expelled: boolean): Promise<void> {
    const assignment = ++this.#assignment
    const wanted = new Set(
      assignments.flatMap(({ topic, partitions }) => partitions.map((one) => nameOf(topic, one))),
    )
    this.#lose('taken', ({ name }) => expelled || !wanted.has(name))
    const fresh = assignments
      .map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.filter((one) => !this.lanes.has(nameOf(topic, one))),
      }))
      .filter(({ partitions }) => partitions.length > 0)
    const gained = await this.#takeOver(fresh, assignment)
    if (assignment !== this.#assignment || this.#closing.signal.aborted) return
    for (const lane of gained) this.lanes.set(lane.name, lane)
    this.#paused = false
    this.#decide()
    this.#events.gained(gained)
    this.#fetcher.look()
    this.#ready()
  }

  /** What is committed for a topic would count for the one that takes its place. */
  #loseReplaced(topics: ReadonlyMap<string, TopicShape>): void {
    this.#lose('gone', ({ topic, topicId }) => topics.get(topic)?.id !== topicId)
  }

  #lose(how: 'taken' | 'gone', which: (lane: Lane) => boolean): void {
    const lost = [...this.lanes.values()].filter(which)
    for (const lane of lost) {
      lane.lost = how
      this.lanes.delete(lane.name)
    }
    if (lost.length > 0) this.#events.lost(lost)
  }

  /** Until it succeeds or somebody else's turn has come. */
  async #takeOver(wanted: readonly GroupAssignment[], assignment: number): Promise<readonly Lane[]> {
    for (let wait = 100; ; wait = Math.min(2 * wait, 2_000)) {
      try {
        return await takeOver(this.#cluster, this.membership, this.#queue.name, wanted)
      } catch (error) {
        if (assignment !== this.#assignment || this.#closing.signal.aborted) return []
        const coded = failure(error, `The place where '${this.#queue.name}' goes on could not be found`)
        if (endings.has(coded.code)) {
          this.#end(coded)
          return []
        }
        this.#events.failed(coded.message, error)
        await pause(systemClock, wait, this.#closing.signal)
      }
    }
  }

  /** What is only out of date by now is fetched again. */
  async #expired(lanes: readonly Lane[]): Promise<void> {
    try {
      await checkLanes(this.#cluster, this.#queue.name, lanes)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      const coded = failure(error, 'Places could not be looked up')
      if (!endings.has(coded.code))
        return this.#events.failed('Places could not be looked up; trying on', error)
      this.#end(coded)
    }
  }

  /** Nothing is handed out any more. */
  #end(why: MillraceError): void {
    this.error = why
    if (this.removed) {
      this.#lose('gone', () => true)
      // Its name may be given to another queue, of which this process must keep no lanes. Whoever closes hears of an error.
      this.close().catch(() => {})
    }
    this.#events.fetched()
  }

  /** Topics come and go, and other processes subscribe this queue to more. */
  async #watch(): Promise<void> {
    const { signal } = this.#closing
    for (;;) {
      await pause(systemClock, watchInterval, signal)
      if (signal.aborted) return
      await this.#look()
    }
  }

  #look(): Promise<void> {
    this.#looking ??= this.#follow().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  async #follow(): Promise<void> {
    try {
      const topics = await this.#lookUp()
      if (this.#closing.signal.aborted) return
      const gone = [...this.#topics.keys()].filter((topic) => !topics.has(topic))
      this.#topics = topics
      this.#loseReplaced(topics)
      if (gone.length > 0)
        this.#events.failed(`Somebody has deleted ${gone.join(', ')}`, undefined, 'TOPIC_GONE')
      this.membership.change(topics)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      const coded = failure(error, 'Topics could not be looked up')
      if (endings.has(coded.code)) this.#end(coded)
      else this.#events.failed('Topics could not be looked up; trying on', error)
    }
  }

  #commitFailed(error: unknown): void {
    if (this.#closing.signal.aborted) return
    this.#events.failed('The progress could not be committed; trying again', error)
  }
}
