import type { Times } from './boot.ts'
import { choose, enoughData, type Choice } from './choice.ts'
import { anyDue, hold, leave, ordered, promote, ready, unordered, window } from './claim-sql.ts'
import type { Database } from './database.ts'
import { KeyOrder } from './key-order.ts'
import { mostFailures } from './schema.ts'
import { eventColumns, StoredEvent, type EventRow } from './stored-event.ts'

/** Who claims, and when. */
export type Claimant = Times & {
  readonly queue: number
  readonly holder: number
}

/** What a session could do in its queue, and when there may be more. */
export interface View {
  /** Events can be claimed, or promoted, right now. */
  readonly ready: boolean
  readonly lapsed: boolean
  /** When the next event becomes due, in milliseconds since 1970. */
  readonly due: number | undefined
  /** When the next lease ends, or the next wait of a retry or release, by the monotonic clock. */
  readonly over: number | undefined
}

const takeOver = 'UPDATE held SET holder = ?, claim = ?, lease = ?, lone = 1 WHERE seq = ?'
const countCrash = `UPDATE events SET failures = min(failures + 1, ${mostFailures}) WHERE seq = ?`
const forget = 'DELETE FROM held WHERE seq = ?'
const event = `SELECT e.seq, ${eventColumns} FROM events e WHERE e.seq = ?`

interface ViewRow {
  readonly ready: number
  readonly lapsed: number
  readonly due: number | null
  /** By the steady clock. */
  readonly wait: number | null
  readonly lease: number | null
}

interface LapsedRow {
  readonly seq: number
  readonly key: string | null
  readonly lone: number
}

/** Takes events of one queue. All methods that change something belong in a write transaction. */
export class Claims {
  readonly #database: Database
  readonly #sql: typeof ordered
  readonly #hold: typeof hold.ordered
  readonly #keys: KeyOrder | undefined

  constructor(database: Database, byKey: boolean) {
    this.#database = database
    this.#sql = byKey ? ordered : unordered
    this.#hold = byKey ? hold.ordered : hold.unordered
    this.#keys = byKey ? new KeyOrder(database) : undefined
  }

  /** @param thorough whether to read on where a claim would first set rows aside, so that `ready` is certain */
  view(me: Claimant, thorough: boolean): View {
    const row = this.#database.get<ViewRow>(this.#sql.view, { ...me, window: thorough ? -1 : window })!
    const wait = row.wait === null ? Infinity : row.wait - (me.steady - me.monotonic)
    const over = Math.min(row.lease ?? Infinity, wait)
    return {
      ready: row.ready === 1,
      lapsed: row.lapsed === 1,
      due: row.due ?? undefined,
      over: over === Infinity ? undefined : over,
    }
  }

  hasLapsed(me: Claimant): boolean {
    // Almost always no lease has ended, and then the order of keys is not to be read for nothing.
    return this.#isLapsed(unordered.hasLapsed, me) && this.#isLapsed(this.#sql.hasLapsed, me)
  }

  #isLapsed(sql: string, me: Claimant): boolean {
    return this.#database.get<{ lapsed: number }>(sql, { ...me, window })!.lapsed === 1
  }

  /** At most `limit` events that are due, in their order. `more`: there may be others that it did not get to. */
  ready(me: Claimant, claim: number, lease: number, limit: number): { events: StoredEvent[]; more: boolean } {
    if (limit === 0) return { events: [], more: false }
    if (this.#database.get(anyDue, me) !== undefined) for (const sql of promote) this.#database.run(sql, me)
    const choice = this.#keys?.choose(me, limit) ?? choose(this.#database, ready.all, { ...me, limit })
    this.#move(me, claim, lease, choice)
    return { events: choice.rows.map((row) => new StoredEvent(row, claim, false)), more: choice.more }
  }

  /** What was chosen, from the ready list to what is held; what stood in its way, aside. */
  #move(me: Claimant, claim: number, lease: number, choice: Choice): void {
    const { rows, past, end } = choice
    if (rows.length > 0) {
      const values = { queue: me.queue, holder: me.holder, claim, lease }
      if (past === 0) this.#database.run(this.#hold.all, { ...values, end })
      else this.#database.run(this.#hold.named, { ...values, seqs: JSON.stringify(rows.map(([seq]) => seq)) })
    }
    const moved = this.#keys?.setAside(me, choice) ?? 0
    if (rows.length + moved > 0)
      this.#database.run(moved === past ? leave.all : leave.moved, { queue: me.queue, end })
  }

  /** At most `limit` events whose holder let the lease run out. If it had claimed one as lapsed, that was a failure. */
  lapsed(me: Claimant, claim: number, lease: number, limit: number): StoredEvent[] {
    const events: StoredEvent[] = []
    let size = 0
    for (const { seq, key, lone } of this.#database.all<LapsedRow>(this.#sql.lapsed, {
      ...me,
      limit,
      window,
    })) {
      if (size >= enoughData) break
      if (lone === 1) this.#database.run(countCrash, seq)
      const row = this.#event(seq)
      if (row === undefined) {
        // Somebody deleted the event by hand while it was held.
        this.#database.run(forget, seq)
        this.settled(me.queue, [key])
        continue
      }
      this.#database.run(takeOver, me.holder, claim, lease, seq)
      events.push(new StoredEvent(row, claim, true))
      size += row[7].length
    }
    return events
  }

  /** To be called in the transaction that settled events of these keys. */
  settled(queue: number, keys: readonly (string | null | undefined)[]): void {
    this.#keys?.bringBack(
      queue,
      keys.filter((key) => typeof key === 'string'),
    )
  }

  #event(seq: number): EventRow | undefined {
    return this.#database.arrays<EventRow>(event, seq)[0]
  }
}
