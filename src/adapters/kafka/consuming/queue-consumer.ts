import { systemClock } from '../../../clock/clock.ts'
import { within } from '../../../clock/within.ts'
import type { ErrorCode } from '../../../errors/codes.ts'
import type { MillraceError } from '../../../errors/millrace-error.ts'
import { Changes } from './changes.ts'
import type { Cluster } from '../connection/cluster.ts'
import { Group } from '../group/group.ts'
import { find } from '../records/headers.ts'
import type { KafkaEvent, Setback } from './kafka-event.ts'
import type { Lane } from './lane.ts'
import { Mover } from './mover.ts'
import { onwards } from './moves.ts'
import { Notices } from './notices.ts'
import { Pending } from './pending.ts'
import { subscribes, type StoredQueue } from '../queues/registry.ts'
import { LastMinute } from '../../../contract/last-minute.ts'
import type { Taker } from './taker.ts'
import { Tier } from './tier.ts'
import { shortWait, topicsOf, type QueueTopics } from '../queues/queue-topics.ts'
import { Turns } from './turns.ts'
import { WaitingEvents } from './waiting-events.ts'

/** How long handlers may hold up a rebalance, in milliseconds. */
const patience = 3_000

/**
 * All that this process does for one queue. Its sessions share it: within a process any of them gets any event, and a
 * second session does not make the whole group divide its partitions anew.
 */
export class QueueConsumer {
  readonly name: string
  readonly topics: QueueTopics
  readonly changes = new Changes()
  readonly rates = new LastMinute()
  readonly #cluster: Cluster
  readonly #group: Group
  readonly #pending: Pending
  readonly #waiting: WaitingEvents
  readonly #mover: Mover
  readonly #tiers = new Map<Lane, Tier>()
  readonly #takers = new Set<Taker>()
  readonly #notices = new Notices()
  readonly #turns = new Turns((lane) => this.#paused(lane))
  #sequence = 0
  #stale = false

  constructor(
    cluster: Cluster,
    queue: StoredQueue,
    options: { readonly order: boolean; readonly lease: number },
  ) {
    this.name = queue.name
    this.topics = topicsOf(queue.name)
    this.#cluster = cluster
    this.#pending = new Pending(options.order)
    this.#waiting = new WaitingEvents(cluster.clock, (events) => this.#wake(events))
    this.#mover = new Mover(cluster.producing, {
      moved: (event) => this.#over(event),
      failed: (error) => this.#failed('Delayed events could not be moved; trying on', error),
    })
    this.#group = new Group(cluster, queue, options.lease, this.rates, {
      revoked: (lanes) => this.#revoked(lanes),
      gained: (lanes) => this.#gained(lanes),
      lost: (lanes) => this.#lost(lanes),
      fetched: () => this.#fetched(),
      failed: (...why) => this.#failed(...why),
    })
  }

  get error(): MillraceError | undefined {
    return this.#group.error
  }

  /** Whether the queue was removed, while nobody here was in its group. */
  get removed(): boolean {
    return this.#group.removed
  }

  get sessions(): number {
    return this.#takers.size
  }

  /** Until when nobody else can have its lanes, by the monotonic clock. */
  get certainUntil(): number {
    return this.#group.membership.certainUntil
  }

  /** Lanes with what of them is under way here. */
  get lanes(): ReadonlyMap<string, Lane> {
    return this.#group.lanes
  }

  open(): Promise<void> {
    return this.#group.open()
  }

  join(taker: Taker): void {
    this.#takers.add(taker)
    this.#notices.listen(taker)
    const { undivided } = this.#group
    if (undivided === undefined) return
    const message = `${this.name}: One process has all keys, because no number above 1 divides all counts of partitions: ${undivided}`
    taker.notice({ code: 'KEYS_UNDIVIDED', message, queue: this.name })
  }

  part(taker: Taker): void {
    this.#takers.delete(taker)
    const [next] = this.#takers
    if (next !== undefined) this.#notices.listen(next)
  }

  /** Resolves when it is known whether the lanes are still here, or when that takes too long. */
  async decided(): Promise<void> {
    await within(this.#group.decided, patience)
  }

  flush(): Promise<void> {
    return this.#group.committer.flush()
  }

  async close(): Promise<void> {
    this.#waiting.close()
    for (const tier of this.#tiers.values()) tier.close()
    await this.#mover.stop()
    await this.#group.close()
  }

  /** At most `max` events for the session. @throws MillraceError UNKNOWN_QUEUE if the queue was removed */
  async take(session: Taker, max: number): Promise<readonly KafkaEvent[]> {
    // An event that nobody seems to subscribe to may have been declared for since: look, before it is passed over.
    // And before anything is taken: if that fails, nobody would know of it.
    if (this.#stale) await this.#cluster.registry.refresh()
    this.#stale = false
    this.#cluster.registry.known(this.name)
    const taken = this.#take(session, max)
    // There is more, behind the look of the next exchange.
    if (this.#stale) this.changes.happened()
    return taken
  }

  /** The event is handled, dead, or somewhere else. */
  settle(event: KafkaEvent): void {
    this.#leave(event)
    this.#over(event)
  }

  /** Hands the event out again, to anybody, with the setback if it has one. `due`: not before. */
  giveBack(event: KafkaEvent, setback: Setback | undefined): void {
    this.#leave(event)
    const again = event.from.replace(event, setback)
    if (setback === undefined) this.#pending.giveBack(again)
    else {
      this.#group.committer.touch(event.from)
      this.#wait(again)
    }
    this.changes.happened()
  }

  /** Keeps the event, and its key, from everybody until then: its handler may still run. */
  withhold(event: KafkaEvent, due: number): void {
    this.#leave(event)
    const { attempt, trail } = event
    const kept = event.from.replace(event, { attempt, trail, due, parks: true })
    this.#group.committer.touch(event.from)
    this.#wait(kept)
  }

  #take(session: Taker, max: number): KafkaEvent[] {
    const taken: KafkaEvent[] = []
    if (this.#group.paused) return taken
    while (taken.length < max) {
      const event = this.#pending.shift() ?? this.#turns.next((lane) => this.#freshOf(lane))
      if (event === undefined) break
      if (this.#pending.admit(event, session)) taken.push(event)
      else event.detach()
    }
    this.#group.look()
    return taken
  }

  /** The next event of the lane that is due. */
  #freshOf(lane: Lane): KafkaEvent | undefined {
    for (let next = lane.peek(); next !== undefined && lane.open; next = lane.peek()) {
      const wanted = lane.own || this.#wants(lane, next.record.record.headers, next.record.offset)
      if (!wanted && this.#cluster.registry.freshAt < next.fetchedAt) {
        this.#stale = true
        return undefined
      }
      if (!wanted) {
        lane.pass()
        this.#group.committer.touch(lane)
        continue
      }
      const event = lane.take()
      event.sequence = ++this.#sequence
      if (event.due <= this.#cluster.clock.now()) return event
      this.#wait(event)
    }
    return undefined
  }

  #wants(lane: Lane, headers: Parameters<typeof find>[0], offset: number): boolean {
    return subscribes(
      this.#cluster.registry.known(this.name),
      find(headers, 'type') ?? lane.topic,
      lane,
      offset,
    )
  }

  /** Until it is due: in memory if that is soon, or if its key has to wait for it; else in a topic for that. */
  #wait(event: KafkaEvent): void {
    const now = this.#cluster.clock.now()
    const { due } = event
    const parks = event.setback?.parks === true
    if (due <= now) return this.#pending.giveBack(event)
    if (due - now > shortWait && !parks) return this.#move(event, now)
    event.detach()
    if (parks) this.#pending.park(event)
    this.#waiting.add(event, due)
  }

  #move(event: KafkaEvent, now: number): void {
    const { attempt, trail, due } = event
    this.#mover.add(event, onwards(event, { attempt, due, trail }, this.topics, now))
  }

  #wake(events: readonly KafkaEvent[]): void {
    for (const event of events) {
      if (event.state !== 'waiting') continue
      this.#pending.unpark(event)
      this.#pending.giveBack(event)
    }
    this.changes.happened()
  }

  #leave(event: KafkaEvent): void {
    if (event.state === 'held') this.#pending.left(event)
    event.holder = undefined
  }

  #over(event: KafkaEvent): void {
    event.from.settle(event)
    this.#group.committer.touch(event.from)
    // A key may be free now, a lane have room.
    this.changes.happened()
  }

  #fetched(): void {
    for (const tier of this.#tiers.values()) tier.look()
    this.changes.happened()
  }

  async #revoked(lanes: readonly string[]): Promise<void> {
    const deadline = systemClock.monotonic() + patience
    // What is moved and not committed before the lanes go is moved once more by whoever has them next.
    const ending = [this.#mover.hold(), ...[...this.#takers].map((taker) => taker.revoke(lanes, deadline))]
    // Whoever is late would hold up the whole group.
    await within(Promise.all(ending), patience)
  }

  #gained(lanes: readonly Lane[]): void {
    for (const lane of lanes) {
      const ms = this.topics.tiers.find(({ topic }) => topic === lane.topic)?.ms
      if (ms === undefined) this.#turns.add(lane)
      else {
        const { clock } = this.#cluster
        this.#tiers.set(lane, new Tier(lane, ms, clock, (event) => this.#move(event, clock.now())))
      }
    }
    this.#mover.resume()
    this.changes.happened()
  }

  #lost(lanes: readonly Lane[]): void {
    const lost: KafkaEvent[] = []
    for (const lane of lanes) {
      this.#tiers.get(lane)?.close()
      this.#tiers.delete(lane)
      for (const event of lane.unsettled()) {
        if (event.state === 'held') lost.push(event)
        this.#leave(event)
        this.#pending.unpark(event)
        event.state = 'over'
      }
    }
    this.#turns.drop()
    for (const taker of this.#takers) taker.lose(lost)
  }

  #paused({ name, first }: Lane): void {
    const message = `the lane ${name} pauses: it has as much ahead of this event as it may`
    const event = first && { type: first.type, id: first.id }
    this.#notices.tell({ code: 'LANE_PAUSED', message, queue: this.name, ...event })
  }

  #failed(message: string, cause: unknown, code: ErrorCode = 'CONNECTION_LOST'): void {
    this.#notices.tell({ code, message: `${this.name}: ${message}`, queue: this.name, cause })
  }
}
