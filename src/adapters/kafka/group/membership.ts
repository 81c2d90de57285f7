import type { ClusterMetadata, Consumer, GroupAssignment, GroupPartitionsAssigner } from '@platformatic/kafka'
import { pause, systemClock } from '../../../clock/clock.ts'
import { within } from '../../../clock/within.ts'
import type { Client } from '../connection/client.ts'
import { failure, isExpelled } from '../connection/failures.ts'
import type { TopicShape } from '../queues/topics.ts'

/** How soon the others learn that somebody has come or gone, in milliseconds. */
const heartbeatInterval = 1_000
/** Kafka allows no shorter one by default. */
const shortestSession = 6_000
const longestSession = 300_000

/** Attempts to join before whoever opened the session is told. */
const firstAttempts = 5
const firstWait = 100
const longestWait = 3_000

/** How long a join under way may take at a farewell, and the farewell itself, in milliseconds. */
const patienceWithJoin = 1_000
const patienceAtLeave = 400

export interface MembershipEvents {
  /** Before the group is divided anew: everything handed out is to come back. May take a while. */
  revoked(topics: ReadonlyMap<string, TopicShape>): Promise<void>
  /** After it. `expelled`: meanwhile others may have had what was ours, and what we still hold is lost. */
  assigned(assignments: readonly GroupAssignment[], expelled: boolean): void
  /** `certain` is true again. */
  certain(): void
  /** Joining failed; it goes on being tried. Called once until it succeeds. */
  failed(error: unknown): void
}

/**
 * This process's place in the group of a queue. The classic protocol with its stop-the-world rebalance is chosen on purpose:
 * the client asks for the metadata of the join and waits for the answer, and commits are still taken until the join is
 * sent. That makes a revocation that can be waited for; the newer protocols of the client have none.
 */
export class Membership {
  readonly #consumer: Consumer
  readonly #events: MembershipEvents
  #member = false
  #expelled = false
  readonly #sessionTimeout: number
  /** When the heartbeat under way was sent, and until when the last good one lets nobody else have our lanes. Monotonic. */
  #beat = 0
  #certainUntil = 0
  #joining: Promise<void> | undefined
  /** The topics as they were when it joined last: the leader of the group divides what it saw then. */
  #seen: ReadonlyMap<string, TopicShape> = new Map()
  readonly #closing = new AbortController()
  /** Counts the changes of topics: a join that was asked for before the last one is not the last. */
  #changes = 0
  /** Whether it was told that joining fails. */
  #told = false

  constructor(
    client: Client,
    group: string,
    options: { readonly lease: number; readonly assigner: GroupPartitionsAssigner },
    events: MembershipEvents,
  ) {
    this.#events = events
    const sessionTimeout = Math.min(Math.max(options.lease, shortestSession), longestSession)
    this.#sessionTimeout = sessionTimeout
    this.#consumer = client.member(group, {
      sessionTimeout,
      rebalanceTimeout: Math.max(sessionTimeout, 15_000),
      heartbeatInterval,
      protocols: [{ name: 'millrace', version: 1 }],
      partitionAssigner: options.assigner,
      protocolsMetadata: (_protocols, _topics, metadata) => this.#beforeJoin(metadata),
    })
    this.#consumer.on('consumer:group:join', ({ assignments = [] }) => this.#joined(assignments))
    this.#consumer.on('consumer:heartbeat:start', () => (this.#beat = systemClock.monotonic()))
    this.#consumer.on('consumer:heartbeat:end', () => this.#alive(this.#beat))
    // The client's own attempt to join again has failed: from here on it does nothing more by itself.
    this.#consumer.on('error', (error: unknown) => this.#rejoin(error))
  }

  /** Joins with these topics. @throws MillraceError if it cannot, after some attempts */
  async join(topics: readonly string[]): Promise<void> {
    this.#follow(topics)
    await this.#join(firstAttempts)
  }

  /** Joins anew if these are not the topics it has, or not as they were, in the background and until it succeeds. */
  change(topics: ReadonlyMap<string, TopicShape>): void {
    if (this.#closing.signal.aborted) return
    const others = this.#follow([...topics.keys()])
    if (!others && [...topics].every(([name, shape]) => isAlike(shape, this.#seen.get(name)))) return
    this.#changes++
    this.#joinAgain()
  }

  /**
   * Whether the group still counts on this process. After a freeze it may have given our lanes to others, which we hear only
   * with the next heartbeat.
   */
  get certain(): boolean {
    return systemClock.monotonic() < this.#certainUntil
  }

  /** Until when it does, as far as is known now. */
  get certainUntil(): number {
    return this.#certainUntil
  }

  #alive(since: number): void {
    const { certain } = this
    this.#certainUntil = since + this.#sessionTimeout
    if (!certain) this.#events.certain()
  }

  /** Where the group stands; undefined where nothing was ever committed. */
  async committed(
    lanes: readonly GroupAssignment[],
  ): Promise<ReadonlyMap<string, readonly (number | undefined)[]>> {
    if (lanes.length === 0) return new Map()
    const found = await this.#consumer.listCommittedOffsets({ topics: [...lanes] })
    const numbers = (list: readonly bigint[]): (number | undefined)[] =>
      list.map((offset) => (offset < 0n ? undefined : Number(offset)))
    return new Map([...found].map(([topic, list]) => [topic, numbers(list)]))
  }

  /** @throws MillraceError: if no broker answers, or if this generation may not commit any more */
  async commit(offsets: readonly { topic: string; partition: number; offset: number }[]): Promise<void> {
    if (offsets.length === 0) return
    try {
      await this.#consumer.commit({
        offsets: offsets.map((one) => ({ ...one, offset: BigInt(one.offset), leaderEpoch: -1 })),
      })
    } catch (error) {
      if (isExpelled(error)) this.#expelled = true
      throw failure(error, `The progress of '${this.#consumer.groupId}' could not be committed`)
    }
  }

  /** Whoever cannot say goodbye is missed by the others when its session times out. */
  async leave(): Promise<void> {
    this.#closing.abort()
    try {
      // Before it has ended nobody knows under which name to leave. Its failure is told to whoever asked for it.
      if (this.#joining !== undefined)
        await within(
          this.#joining.catch(() => {}),
          patienceWithJoin,
        )
      // It gives a promise, which its types do not say.
      await within(Promise.resolve(this.#consumer.leaveGroup(true)), patienceAtLeave)
    } finally {
      await within(this.#consumer.close(true), patienceAtLeave)
    }
  }

  /** Says whether anything has changed. */
  #follow(topics: readonly string[]): boolean {
    const { topics: tracked } = this.#consumer
    const gone = tracked.current.filter((topic) => !topics.includes(topic))
    for (const topic of gone) while (tracked.has(topic)) tracked.untrack(topic)
    const come = topics.filter((topic) => !tracked.has(topic))
    for (const topic of come) tracked.track(topic)
    return gone.length + come.length > 0
  }

  /** The client calls this before it sends a join, and waits. */
  async #beforeJoin({ topics }: ClusterMetadata): Promise<Buffer> {
    this.#seen = new Map(
      [...topics].map(([name, { id, partitionsCount: partitions }]) => [name, { id, partitions }]),
    )
    // A member that the group does not know any more has lost its id.
    if (this.#member && this.#consumer.memberId === null) this.#expelled = true
    if (this.#member && !this.#expelled) await this.#events.revoked(this.#seen)
    return Buffer.alloc(0)
  }

  #joined(assignments: readonly GroupAssignment[]): void {
    const expelled = this.#expelled
    this.#member = true
    this.#expelled = false
    this.#told = false
    this.#alive(systemClock.monotonic())
    this.#events.assigned(assignments, expelled)
  }

  #rejoin(error: unknown): void {
    if (this.#closing.signal.aborted || this.#joining !== undefined) return
    this.#tell(error)
    this.#joinAgain()
  }

  /** It tries until it is closed, so that nothing is left to be reported to whoever asked. */
  #joinAgain(): void {
    void this.#join(Infinity)
  }

  #tell(error: unknown): void {
    if (!this.#told) this.#events.failed(error)
    this.#told = true
  }

  #join(attempts: number): Promise<void> {
    this.#joining ??= this.#tryToJoin(attempts).finally(() => (this.#joining = undefined))
    return this.#joining
  }

  async #tryToJoin(attempts: number): Promise<void> {
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const changes = this.#changes
      try {
        await this.#consumer.joinGroup({})
        if (changes === this.#changes) return
      } catch (error) {
        if (this.#closing.signal.aborted) return
        // A rebalance in the middle of a join is the rule where many join at once.
        const wait = isExpelled(error) ? firstWait : Math.min(firstWait * 2 ** attempt, longestWait)
        if (attempt >= attempts)
          throw failure(error, `The group of '${this.#consumer.groupId}' could not be joined`)
        if (attempts === Infinity && !isExpelled(error)) this.#tell(error)
        await pause(systemClock, wait, this.#closing.signal)
      }
    }
  }
}

function isAlike(one: TopicShape, other: TopicShape | undefined): boolean {
  return one.id === other?.id && one.partitions === other.partitions
}
