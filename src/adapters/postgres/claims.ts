import type { Clock } from '../../clock/clock.ts'
import type { Received } from '../../contract/transport.ts'
import {
  acknowledge,
  enoughData,
  exchange,
  exchangeKeys,
  exchangeLarge,
  hasLapsed,
  keptBack,
  lapsed as takeLapsed,
  type ExchangeState,
} from './claim-sql.ts'
import { Cursor } from './cursor.ts'
import type { Database } from './database.ts'
import { KeptKeys } from './kept-keys.ts'
import type { Presence } from './presence.ts'
import { leaseOf, leasesOf, placesOf, type Lease } from './settlements.ts'
import type { Slots } from './slots.ts'
import { StoredEvent, type MessageRow } from './stored-event.ts'

/** So many acknowledgements get a statement of their own beside the claim. */
const leastApart = 32
/** Readings of one exchange: each sets aside what it may not take, and the next goes on behind. */
const mostReadings = 16
/** How often is looked again for what has lapsed long ago, and for keys that were kept back, in milliseconds. */
const lookEvery = 1_000
const relookEvery = 10_000
/** Nor is asked more often when leases end: of what was handled there may be much to pass over. */
const askEvery = 250

type ExchangeRow = MessageRow | readonly [id: null, state: string]
type LapsedRow = readonly [found: number, ...MessageRow]

export interface Claimed {
  readonly events: readonly StoredEvent[]
  /** The leases of what was acknowledged; undefined: all. */
  readonly acked: ReadonlySet<string> | undefined
  readonly lapsed: boolean
  /** There may be more to take right now. */
  readonly more: boolean
  /** When there may be something else to take, or that is to be asked for, in milliseconds from now. */
  readonly wait: number
}

export interface ClaimsParts {
  readonly database: Database
  readonly queue: number
  readonly presence: Presence
  readonly slots: Slots
  readonly clock: Clock
  /** Milliseconds. */
  readonly lease: number
  readonly ordered: boolean
  /** How long the session waits at most until it looks by itself, in milliseconds. */
  pollEvery(): number
  /** The session was taken for dead, or is near to it. */
  revive(): Promise<void>
}

/** Takes events of one queue. */
export class Claims {
  readonly kept: KeptKeys
  readonly #parts: ClaimsParts
  readonly #cursor: Cursor
  /** Leases that ended before this time were seen to, by the database's clock; and before that, some time ago. */
  #since = '-infinity'
  #sinceBefore = '-infinity'
  #lookAt = 0
  /** When was asked for leases that end; and when one does, or is to be asked again. */
  #askedAt = -Infinity
  #lapseAt = 0
  #relookAt = 0
  /** What the last reading found was more than there is memory for; the next will, too. */
  #large = false

  constructor(parts: ClaimsParts) {
    this.#parts = parts
    this.kept = new KeptKeys(parts.database, parts.queue)
    this.#cursor = new Cursor(() => parts.clock.monotonic())
  }

  /** What was known may be wrong. */
  reset(): void {
    this.#cursor.reset()
    this.#since = '-infinity'
    this.#sinceBefore = '-infinity'
  }

  /** Gives the leases that were held. */
  async acknowledge(acks: readonly Received[]): Promise<ReadonlySet<string>> {
    const { database, queue } = this.#parts
    if (acks.length === 0) return new Set()
    const rows = await database.rows<Lease>(acknowledge, queue, ...leasesOf(acks))
    return new Set(rows.map(leaseOf))
  }

  /** Acknowledges the others, which were moved: a renewal may not have been heard of, or the table was written anew. */
  async #acknowledgeMoved(
    acks: readonly Received[],
    found: ReadonlySet<string>,
  ): Promise<ReadonlySet<string>> {
    const moved = await this.acknowledge(acks.filter((one) => !found.has(leaseOf(one))))
    return new Set([...found, ...moved])
  }

  async take(acks: readonly Received[], max: number, lapsed: number): Promise<Claimed> {
    const claims: string[] = []
    try {
      return await this.#take(acks, max, lapsed, claims)
    } catch (error) {
      // The caller does not get what was taken, and what is not known to be taken may be.
      this.#parts.presence.doubt(claims)
      throw error
    }
  }

  async #take(acks: readonly Received[], max: number, lapsed: number, claims: string[]): Promise<Claimed> {
    this.#lookAgain()
    const events: StoredEvent[] = []
    let acked: ReadonlySet<string> | undefined
    let left = acks
    if (this.kept.someChanged && acks.length > 0) {
      // A statement does not see what it changes itself, and an ack may let a key go on.
      acked = await this.acknowledge(acks)
      left = []
    }
    if (lapsed > 0) {
      const taken = await this.#takeLapsed(lapsed, claims)
      events.push(...taken.events)
      // Nothing else was asked for: the next exchange tells the rest.
      if (max === 0 && left.length === 0 && events.length === lapsed)
        return { events, acked, lapsed: taken.others, more: true, wait: 0 }
    }
    const wanted = max + events.length
    if (this.kept.someChanged && max > 0 && !isEnough(events))
      events.push(...(await this.#takeKeptBack(max, claims)))
    if (!this.#parts.ordered || max === 0 || left.length < leastApart)
      return this.#takeReady(left, events, acked, wanted, claims)
    // With order by key exchanges do not overlap, so this is what two connections can do at a time.
    const [taken, settled] = await Promise.allSettled([
      this.#takeReady([], events, acked, wanted, claims),
      this.#read(left, 0, claims),
    ])
    if (taken.status === 'rejected') throw taken.reason
    if (settled.status === 'rejected') throw settled.reason
    return { ...taken.value, acked: await this.#ackedOf(left, settled.value.state) }
  }

  /** Takes events until there are so many, behind those. */
  async #takeReady(
    acks: readonly Received[],
    events: StoredEvent[],
    ackedBefore: ReadonlySet<string> | undefined,
    wanted: number,
    claims: string[],
  ): Promise<Claimed> {
    let left = acks
    let acked = ackedBefore
    let back = false
    for (let readings = 1; ; readings++) {
      const limit = isEnough(events) ? 0 : wanted - events.length
      const { state, ...reading } = await this.#read(left, limit, claims)
      events.push(...reading.events)
      back ||= reading.back
      if (left.length > 0) acked = await this.#ackedOf(left, state)
      left = []
      const isOver = readings === mostReadings
      if (!state.lives && !isOver) await this.#parts.revive()
      else if (state.unheard && !isOver) await this.kept.load(this.#parts.slots.mine)
      else if (!state.more || reading.isCut || reading.events.length === limit || isOver) {
        return {
          events: events.toSorted((a, b) => a.seq - b.seq),
          acked,
          lapsed: state.lapsed && (await this.#hasLapsed()),
          more: state.more || back || this.kept.someChanged || isOver,
          wait: Math.min(state.wait ?? Infinity, this.#lapseAt - this.#parts.clock.monotonic()),
        }
      }
    }
  }

  /** What was acknowledged, of these; undefined: all. */
  async #ackedOf(
    acks: readonly Received[],
    { acked }: ExchangeState,
  ): Promise<ReadonlySet<string> | undefined> {
    return acked === null ? undefined : this.#acknowledgeMoved(acks, new Set(acked))
  }

  /** Acknowledges, and takes what is due and what is ready behind the cursor. */
  async #read(
    acks: readonly Received[],
    limit: number,
    claims: string[],
  ): Promise<{ state: ExchangeState; events: readonly StoredEvent[]; back: boolean; isCut: boolean }> {
    const reading = this.#cursor.begin()
    const claim = this.#nextClaim(claims)
    const asks = limit > 0 && this.#parts.clock.monotonic() - this.#askedAt >= askEvery
    const ahead = asks ? this.#parts.pollEvery() : 0
    const limits = this.#large || this.kept.some
    const plain = (limits ? exchangeLarge : exchange)[this.#parts.ordered ? 'ordered' : 'unordered']
    const rows = await this.#parts.database.tuples<ExchangeRow>(
      this.kept.some ? exchangeKeys : plain,
      ...this.#values(claim, limit),
      ...placesOf(acks),
      reading.from,
      this.#since,
      ahead,
      reading.transactions,
      reading.places,
    )
    const events: StoredEvent[] = []
    let told = ''
    for (const row of rows) {
      if (row[0] === null) told = row[1]
      else events.push(new StoredEvent(row, claim, false))
    }
    const state = JSON.parse(told) as ExchangeState
    if (asks) {
      this.#askedAt = this.#parts.clock.monotonic()
      this.#lapseAt = this.#askedAt + (state.lapse ?? ahead)
      // Others may have claimed since then what ends before that.
    } else this.#lapseAt = Math.min(this.#lapseAt, this.#askedAt + askEvery)
    if (!state.lapsed) this.#since = state.now
    this.kept.aside(state.aside ?? [])
    this.kept.due(state.parked ?? [])
    if (limit > 0) this.#large = state.much
    const isRead = state.lives && !state.unheard && limit > 0
    const back = isRead && this.#cursor.end(reading, state, state)
    return { state, events, back, isCut: limits && state.much }
  }

  /** `others`: whether there are more that may be taken. */
  async #takeLapsed(
    limit: number,
    claims: string[],
  ): Promise<{ events: readonly StoredEvent[]; others: boolean }> {
    const claim = this.#nextClaim(claims)
    const rows = await this.#parts.database.tuples<LapsedRow>(takeLapsed, ...this.#values(claim, limit))
    const events = rows.map(([, ...row]) => new StoredEvent(row, claim, true))
    return { events, others: rows.some(([found]) => found > rows.length) }
  }

  async #takeKeptBack(limit: number, claims: string[]): Promise<readonly StoredEvent[]> {
    const keys = this.kept.next()
    const claim = this.#nextClaim(claims)
    const values = [...this.#values(claim, limit), keys]
    const rows = await this.#parts.database.tuples<MessageRow>(keptBack, ...values)
    const events = rows.map((row) => new StoredEvent(row, claim, false))
    await this.kept.prune(this.#parts.slots.mine, keys, events.length === limit || isEnough(events))
    return events
  }

  async #hasLapsed(): Promise<boolean> {
    const { database, queue, slots, ordered } = this.#parts
    if (!ordered) return true
    const [row] = await database.rows<{ lapsed: boolean }>(hasLapsed, null, queue, slots.bits)
    return row?.lapsed === true
  }

  #nextClaim(claims: string[]): string {
    const claim = this.#parts.presence.nextClaim()
    claims.push(claim)
    return claim
  }

  #values(claim: string, limit: number): readonly unknown[] {
    const { presence, queue, slots, lease } = this.#parts
    return [presence.id, queue, slots.bits, lease, claim, limit]
  }

  #lookAgain(): void {
    const now = this.#parts.clock.monotonic()
    if (now >= this.#lookAt) {
      this.#lookAt = now + lookEvery
      this.kept.look()
    }
    if (now < this.#relookAt) return
    this.#relookAt = now + relookEvery
    const since = this.#since
    this.#since = this.#sinceBefore
    this.#sinceBefore = since
  }
}

/** Whether there is no memory for more. */
function isEnough(events: readonly StoredEvent[]): boolean {
  let all = 0
  for (const { size } of events) all += size
  return all >= enoughData
}
