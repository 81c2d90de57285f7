import type { Times } from './boot.ts'
import { choose } from './choice.ts'
import { anyDue, hold, ordered, promote, ready, unordered, window } from './claim-sql.ts'
import type { Database } from './database.ts'
import { KeyOrder } from './key-order.ts'
import { mostFailures } from './schema.ts'
import { messageColumns, StoredEvent, type MessageRow } from './stored-event.ts'

/** Who claims, and when. */
export type Claimant = Times & {
  readonly queue: number
  readonly owner: number
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

const takeOver = 'UPDATE held SET owner = ?, claim = ?, lease = ?, lone = 1 WHERE seq = ?'
const countCrash = `UPDATE messages SET failures = min(failures + 1, ${mostFailures}) WHERE seq = ?`
const forget = 'DELETE FROM held WHERE seq = ?'
const message = `SELECT ${messageColumns} FROM messages m WHERE m.seq = ?`

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
  readonly #hold: string
  readonly #keys: KeyOrder | undefined

  constructor(database: Database, byKey: boolean) {
    this.#database = database
    this.#sql = byKey ? ordered : unordered
    this.#hold = byKey ? hold.byKey : hold.all
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
    if (this.#database.get(anyDue, me) !== undefined) this.#database.run(promote, me)
    const { rows, more } =
      this.#keys?.choose(me, limit) ?? choose(this.#database, ready.all, { ...me, limit })
    const events = rows.map((row) => new StoredEvent(row, claim, false))
    if (events.length === 0) return { events, more }
    const taken = JSON.stringify(events.map((event) => event.seq))
    this.#database.run(this.#hold, { queue: me.queue, owner: me.owner, claim, lease, seqs: taken })
    return { events, more }
  }

  /** At most `limit` events whose holder let the lease run out. If it had claimed one as lapsed, that was a failure. */
  lapsed(me: Claimant, claim: number, lease: number, limit: number): StoredEvent[] {
    const rows = this.#database.all<LapsedRow>(this.#sql.lapsed, { ...me, limit, window })
    return rows.flatMap(({ seq, key, lone }) => {
      if (lone === 1) this.#database.run(countCrash, seq)
      const row = this.#message(seq)
      // Somebody deleted the message by hand while it was held.
      if (row === undefined) {
        this.#database.run(forget, seq)
        this.settled(me.queue, [key])
      } else this.#database.run(takeOver, me.owner, claim, lease, seq)
      return row === undefined ? [] : new StoredEvent(row, claim, true)
    })
  }

  /** To be called in the transaction that settled events of these keys. */
  settled(queue: number, keys: readonly (string | null | undefined)[]): void {
    this.#keys?.bringBack(
      queue,
      keys.filter((key) => typeof key === 'string'),
    )
  }

  #message(seq: number): MessageRow | undefined {
    return this.#database.arrays<MessageRow>(message, seq)[0]
  }
}
