import type { Clock } from '../../clock/clock.ts'
import type { Database } from './database.ts'
import { Sweep, type Sweepable } from './sweep.ts'

/** No transaction is open for longer, in words of the database. */
const longestTransaction = `interval '7 days'`

/** Behind the end of a queue ($1), in its transaction. */
export const remember = 'INSERT INTO {removed} (queue) VALUES ($1)'
export const forget = `DELETE FROM {removed} WHERE at < now() - ${longestTransaction}`

/** For each queue by itself, so that the plan never is to read all messages. */
const orphans: Sweepable = {
  sql: `DELETE FROM {messages} WHERE ctid = ANY(ARRAY(
    SELECT m.ctid FROM {removed} r CROSS JOIN LATERAL (SELECT ctid FROM {messages} WHERE queue = r.queue LIMIT $1) m LIMIT $1
  ))`,
  batch: 500,
}

/** Sweeps up events of removed queues: transactions that were open when a queue was removed may have published to it. */
export function orphanSweep(database: Database, clock: Clock): Sweep {
  return new Sweep(database, clock, orphans)
}
