import type { Clock } from '../../clock/clock.ts'
import { Bag } from '../../contract/bag.ts'
import { LastMinute } from '../../contract/last-minute.ts'
import type { Settlement, SettleResult, Subscription } from '../../contract/transport.ts'
import type { QueueCounts } from '../../contract/transport-admin.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { reaches } from '../../contract/routes.ts'
import { DeadLetters } from './dead-letters.ts'
import { Heap } from './heap.ts'
import { Lane, openLanes, type Consumer } from './lane.ts'
import { Claim, Entry, type StoredEvent } from './stored-event.ts'

const earlier = (a: Entry, b: Entry): boolean =>
  a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.sequence < b.sequence)

/**
 * One queue. An entry is in one place at a time: in a lane (due), in a heap of waiting ones (due later), held, or lapsed.
 * Nothing moves by itself: whoever calls lets the time pass first (`turn`), with a clock of its choice.
 */
export class MemoryQueue {
  readonly name: string
  readonly order: boolean
  subscriptions: readonly Subscription[] = []
  removed = false
  readonly dead = new DeadLetters()
  /** Called on every change: consumers that wait for events look again. */
  readonly watchers = new Set<() => void>()
  #size = 0
  #bytes = 0
  /** Events that are due and belong to no key that order would care for. */
  readonly #common = new Lane(undefined)
  readonly #lanes = new Map<string, Lane>()
  /** The lanes that any consumer may take from. Those of a held key stand in their owner's heap. */
  readonly #free = openLanes()
  /** Waiting for a date, by the wall clock; and for the end of a retry's or release's delay, by the monotonic one. */
  readonly #dated = new Heap(earlier)
  readonly #delayed = new Heap(earlier)
  #retrying = 0
  readonly #held = new Bag<Entry>()
  readonly #lapsed = new Set<Entry>()
  /** No lease ends before. Often too early, as settling does not move it: then the held ones are looked through in vain. */
  #lapseAt = Infinity
  readonly #rates = new LastMinute()

  constructor(name: string, order: boolean) {
    this.name = name
    this.order = order
  }

  subscribesTo(topic: string, type: string): boolean {
    return this.subscriptions.some((subscription) => reaches(subscription, topic, type))
  }

  /** Waiting events and those in flight; dead letters are not among them. */
  get size(): number {
    return this.#size
  }

  /** What its events and dead letters take in memory, about. */
  get bytes(): number {
    return this.#bytes + this.dead.bytes
  }

  add(event: StoredEvent, trail?: string): void {
    const entry = new Entry(event, trail)
    this.#size++
    this.#bytes += entry.size
    if (event.deliverAt === undefined) return this.#enter(entry)
    entry.dueAt = event.deliverAt
    this.#dated.push(entry)
  }

  /** Lets the time pass: what is due enters its lane, and leases end. */
  turn(clock: Clock): void {
    const now = clock.now()
    const instant = clock.monotonic()
    for (
      let first = this.#dated.peek();
      first !== undefined && first.dueAt <= now;
      first = this.#dated.peek()
    ) {
      this.#dated.pop()
      this.#enter(first)
    }
    for (
      let first = this.#delayed.peek();
      first !== undefined && first.dueAt <= instant;
      first = this.#delayed.peek()
    ) {
      this.#delayed.pop()
      if (first.retrying) this.#retrying--
      first.retrying = false
      this.#enter(first)
    }
    if (instant >= this.#lapseAt) this.#endLeases(instant)
  }

  /** Whether `claim` would find something for this consumer, as of the last turn. */
  offers(consumer: Consumer): boolean {
    return this.#free.size > 0 || consumer.lanes.size > 0
  }

  /** Whether `claimLapsed` would. */
  offersLapsed(): boolean {
    for (const entry of this.#lapsed) if (this.#mayTakeLapsed(entry)) return true
    return false
  }

  claim(consumer: Consumer, max: number, until: number): Claim[] {
    const claims: Claim[] = []
    while (claims.length < max) {
      const free = this.#free.peek()
      const own = consumer.lanes.peek()
      const lane = free === undefined || (own !== undefined && own.rank < free.rank) ? own : free
      const entry = lane?.waiting.shift()
      if (lane === undefined || entry === undefined) break
      claims.push(this.#hold(entry, lane, consumer, until, false))
    }
    return claims
  }

  claimLapsed(consumer: Consumer, max: number, until: number): Claim[] {
    const claims: Claim[] = []
    for (const entry of this.#lapsed) {
      if (claims.length >= max) break
      if (!this.#mayTakeLapsed(entry)) continue
      const lane = this.#laneOf(entry)
      this.#lapsed.delete(entry)
      lane.unbar(entry)
      claims.push(this.#hold(entry, lane, consumer, until, true))
    }
    return claims
  }

  /** The claims of this consumer that are valid. */
  heldBy(consumer: Consumer): readonly Claim[] {
    return this.#held.values().flatMap(({ claim }) => (claim?.holder === consumer ? [claim] : []))
  }

  /** @param instant now, by the monotonic clock */
  settle({ of, as, delay = 0, park = false, trail, record }: Settlement, instant: number): SettleResult {
    // The contract: settling takes the very object that was handed out.
    const { entry } = of as Claim
    if (entry.gone || this.removed) return 'gone'
    if (entry.claim !== of) return 'lost'
    if (as === 'dead' && record === undefined)
      return new MillraceError('INVALID_OPTION', 'A dead letter needs its record')
    const lane = this.#letGo(entry)
    this.#bytes -= entry.size
    this.#rates.count(instant, Number(as === 'ack'), Number(as === 'retry' || as === 'dead'))
    if (as === 'ack' || as === 'dead') {
      entry.gone = true
      this.#size--
      if (record !== undefined && as === 'dead') this.dead.add(entry.event, record)
    } else {
      if (as === 'retry') {
        entry.failures++
        if (trail !== undefined) entry.trail = JSON.stringify(trail)
      }
      this.#bytes += entry.size
      if (delay > 0) this.#delay(entry, lane, instant + delay, as === 'retry', park)
      else lane.waiting.push(entry)
    }
    this.#place(lane)
    return 'done'
  }

  /** Makes the lease of a valid claim end at `until`. */
  extend(claim: Claim, until: number): 'ok' | 'lost' {
    if (claim.entry.claim !== claim || this.removed) return 'lost'
    claim.until = until
    this.#lapseAt = Math.min(this.#lapseAt, until)
    return 'ok'
  }

  /** Milliseconds until an event becomes due; undefined if none waits for that. */
  dueIn(clock: Clock): number | undefined {
    const left = Math.min(
      (this.#dated.peek()?.dueAt ?? Infinity) - clock.now(),
      (this.#delayed.peek()?.dueAt ?? Infinity) - clock.monotonic(),
    )
    return left === Infinity ? undefined : Math.max(left, 0)
  }

  /** Milliseconds until a lease may end; undefined if there is none. */
  lapseIn(clock: Clock): number | undefined {
    return this.#lapseAt === Infinity ? undefined : Math.max(this.#lapseAt - clock.monotonic(), 0)
  }

  counts(clock: Clock): QueueCounts {
    const waiting = this.#dated.size + this.#delayed.size
    const depth = this.#size - this.#held.size - waiting
    let oldest = Infinity
    for (const lane of [this.#common, ...this.#lanes.values()]) {
      oldest = Math.min(oldest, lane.waiting.peek()?.event.takenAt ?? Infinity)
    }
    for (const { event } of this.#lapsed) oldest = Math.min(oldest, event.takenAt)
    return {
      name: this.name,
      depth,
      inFlight: this.#held.size,
      retrying: this.#retrying,
      delayed: waiting - this.#retrying,
      dead: this.dead.size,
      oldestMs: oldest === Infinity ? 0 : Math.max(clock.now() - oldest, 0),
      ...this.#rates.perSecond(clock.monotonic()),
    }
  }

  /** The entry is due: it takes its place by its sequence, whatever happened to it before. */
  #enter(entry: Entry): void {
    const lane = this.#laneOf(entry)
    lane.unbar(entry)
    lane.waiting.push(entry)
    this.#place(lane)
  }

  #delay(entry: Entry, lane: Lane, dueAt: number, retrying: boolean, park: boolean): void {
    entry.dueAt = dueAt
    entry.retrying = retrying
    if (retrying) this.#retrying++
    if (park && lane !== this.#common) lane.bar(entry)
    this.#delayed.push(entry)
  }

  #hold(entry: Entry, lane: Lane, consumer: Consumer, until: number, lapsed: boolean): Claim {
    const claim = new Claim(entry, consumer, until, lapsed)
    entry.claim = claim
    this.#held.add(entry)
    this.#lapseAt = Math.min(this.#lapseAt, until)
    if (lane !== this.#common) {
      lane.owner = consumer
      lane.held++
    }
    this.#place(lane)
    return claim
  }

  /** Ends a claim. The caller puts the entry where it belongs, then the lane in its place. */
  #letGo(entry: Entry): Lane {
    const lane = this.#laneOf(entry)
    entry.claim = undefined
    this.#held.delete(entry)
    if (lane !== this.#common && --lane.held === 0) lane.owner = undefined
    return lane
  }

  /** Entries whose lease ran out are handed out by request only, and their keys wait for them. */
  #endLeases(instant: number): void {
    this.#lapseAt = Infinity
    for (const entry of this.#held.values()) {
      const claim = entry.claim as Claim
      if (claim.until > instant) {
        this.#lapseAt = Math.min(this.#lapseAt, claim.until)
        continue
      }
      // A first crash may be a neighbour's fault. One that was claimed alone, as lapsed ones are, has failed by itself.
      if (claim.lapsed) {
        entry.failures++
        this.#rates.count(instant, 0, 1)
      }
      const lane = this.#letGo(entry)
      this.#lapsed.add(entry)
      if (lane !== this.#common) lane.bar(entry)
      this.#place(lane)
    }
  }

  /** With order by key: only the first event of a key that nobody holds. */
  #mayTakeLapsed(entry: Entry): boolean {
    const lane = this.#laneOf(entry)
    if (lane === this.#common) return true
    return lane.owner === undefined && lane.barrier === entry.sequence && lane.first === undefined
  }

  #laneOf({ event: { key } }: Entry): Lane {
    if (!this.order || key === undefined) return this.#common
    let lane = this.#lanes.get(key)
    if (lane === undefined) this.#lanes.set(key, (lane = new Lane(key)))
    return lane
  }

  /** Puts a lane that has changed into the heap of those who may take from it now, or nowhere. */
  #place(lane: Lane): void {
    const first = lane.first
    const heap = first === undefined ? undefined : (lane.owner?.lanes ?? this.#free)
    if (lane.heap !== undefined && lane.heap !== heap) lane.heap.remove(lane)
    if (first !== undefined) lane.rank = first.sequence
    if (lane.heap === heap) heap?.moved(lane)
    else heap?.push(lane)
    lane.heap = heap
    if (lane.key !== undefined && lane.empty) this.#lanes.delete(lane.key)
  }
}
