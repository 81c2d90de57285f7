import type { Database } from './database.ts'
import { mostFailures } from './schema.ts'
import { messageColumns, StoredEvent, type MessageRow } from './stored-event.ts'

/** Who claims, and what time it is: whole milliseconds, `now` since 1970, `monotonic` of the machine's clock. */
export type Claimant = {
  readonly queue: number
  readonly owner: number
  readonly now: number
  readonly monotonic: number
}

/** What a session could do in its queue, and when there may be more. */
export interface View {
  /** Events can be claimed, or promoted, right now. */
  readonly ready: boolean
  readonly lapsed: boolean
  /** When the next event becomes due, in milliseconds since 1970. */
  readonly due: number | undefined
  /** When the next lease ends, by the monotonic clock. */
  readonly lease: number | undefined
}

/** Rows that became due are promoted this many at a time, so that a million at once stop nobody for long. */
const promoted = 256

/**
 * Data above the first size is fetched by itself, and a claim ends early above the second: 128 events of 100 MiB would not
 * fit into memory. In bytes.
 */
const largeData = 64 * 1024
const enoughData = 32 * 1024 * 1024

/**
 * Nobody else has an event of the key, none before it has lost its holder, and none before it is parked. Claims are
 * serialised by BEGIN IMMEDIATE, so what they read is the truth until they commit.
 */
const keyIsFree = (row: 'm' | 'l'): string => `(${row}.key IS NULL OR (
  NOT EXISTS (
    SELECT 1 FROM held h WHERE h.queue = :queue AND h.key = ${row}.key
    AND iif(h.lease > :monotonic, h.owner <> :owner, h.seq < ${row}.seq)
  )
  AND NOT EXISTS (
    SELECT 1 FROM messages p WHERE p.parked = 1 AND p.queue = :queue AND p.key = ${row}.key AND p.seq < ${row}.seq
  )
))`

const nobodyHolds = 'NOT EXISTS (SELECT 1 FROM held WHERE held.seq = m.seq)'
const allReady = `FROM messages m INDEXED BY ready WHERE m.queue = :queue AND m.due IS NULL AND ${nobodyHolds}`
const allLapsed = 'FROM held l INDEXED BY held_lease WHERE l.queue = :queue AND l.lease <= :monotonic'

/** The statements of queues without and with order by key. */
const statements = (byKey: boolean) => {
  const ready = byKey ? `${allReady} AND ${keyIsFree('m')}` : allReady
  const lapsed = byKey ? `${allLapsed} AND ${keyIsFree('l')}` : allLapsed
  return {
    view: `SELECT
      EXISTS (SELECT 1 ${ready})
        OR EXISTS (SELECT 1 FROM messages INDEXED BY waiting WHERE queue = :queue AND due <= :now) AS ready,
      EXISTS (SELECT 1 ${lapsed}) AS lapsed,
      (SELECT min(due) FROM messages INDEXED BY waiting WHERE queue = :queue AND due > :now) AS due,
      (SELECT min(lease) FROM held INDEXED BY held_lease WHERE queue = :queue AND lease > :monotonic) AS lease`,
    hasLapsed: `SELECT EXISTS (SELECT 1 ${lapsed}) AS lapsed`,
    ready: `SELECT ${messageColumns},
      iif(octet_length(m.data) <= ${largeData}, m.data, NULL) AS data ${ready} ORDER BY m.seq LIMIT :limit`,
    // The key is kept only where it is looked for.
    hold: `INSERT INTO held
      SELECT m.seq, m.queue, ${byKey ? 'm.key' : 'NULL'}, :owner, :claim, :lease, 0
      FROM json_each(:seqs) s CROSS JOIN messages m ON m.seq = s.value`,
    lapsed: `SELECT l.seq, l.lone ${lapsed} ORDER BY l.seq LIMIT :limit`,
  }
}

const promote = `UPDATE messages SET due = NULL WHERE seq IN (
  SELECT seq FROM messages INDEXED BY waiting WHERE queue = ? AND due <= ? ORDER BY due LIMIT ${promoted}
)`
const takeOver = 'UPDATE held SET owner = ?, claim = ?, lease = ?, lone = 1 WHERE seq = ?'
const countCrash = `UPDATE messages SET failures = min(failures + 1, ${mostFailures}) WHERE seq = ?`
const forget = 'DELETE FROM held WHERE seq = ?'
const message = `SELECT ${messageColumns}, m.data FROM messages m WHERE m.seq = ?`

/** Without its data if that is large. */
type ReadyRow = MessageRow | readonly [seq: number, ...unknown[], data: null]

/** Takes events of one queue. All methods that change something belong in a write transaction. */
export class Claims {
  readonly #database: Database
  readonly #sql: ReturnType<typeof statements>

  constructor(database: Database, byKey: boolean) {
    this.#database = database
    this.#sql = statements(byKey)
  }

  view(me: Claimant): View {
    const row = this.#database.get<Record<keyof View, number | null>>(this.#sql.view, me)!
    return {
      ready: row.ready === 1,
      lapsed: row.lapsed === 1,
      due: row.due ?? undefined,
      lease: row.lease ?? undefined,
    }
  }

  hasLapsed(me: Claimant): boolean {
    return this.#database.get<{ lapsed: number }>(this.#sql.hasLapsed, me)!.lapsed === 1
  }

  /** At most `limit` events that are due, in their order. */
  ready(me: Claimant, claim: number, lease: number, limit: number): StoredEvent[] {
    this.#database.run(promote, me.queue, me.now)
    const rows = this.#database.arrays<ReadyRow>(this.#sql.ready, { ...me, limit })
    const events: StoredEvent[] = []
    let size = 0
    for (const row of rows) {
      if (size >= enoughData) break
      const event = new StoredEvent(isWhole(row) ? row : this.#message(row[0])!, claim, false)
      events.push(event)
      size += event.data.length
    }
    const seqs = JSON.stringify(events.map((event) => event.seq))
    if (events.length > 0) this.#database.run(this.#sql.hold, { owner: me.owner, claim, lease, seqs })
    return events
  }

  /** At most `limit` events whose holder let the lease run out. If it had claimed one as lapsed, that was a failure. */
  lapsed(me: Claimant, claim: number, lease: number, limit: number): StoredEvent[] {
    const rows = this.#database.all<{ seq: number; lone: number }>(this.#sql.lapsed, { ...me, limit })
    return rows.flatMap(({ seq, lone }) => {
      if (lone === 1) this.#database.run(countCrash, seq)
      const row = this.#message(seq)
      // Somebody deleted the message by hand while it was held.
      if (row === undefined) this.#database.run(forget, seq)
      else this.#database.run(takeOver, me.owner, claim, lease, seq)
      return row === undefined ? [] : new StoredEvent(row, claim, true)
    })
  }

  #message(seq: number): MessageRow | undefined {
    return this.#database.arrays<MessageRow>(message, seq)[0]
  }
}

function isWhole(row: ReadyRow): row is MessageRow {
  return row[7] !== null
}
