import type { Clock } from '../../clock/clock.ts'
import type { Routes } from '../../contract/routes.ts'
import type { Database, Runner } from './database.ts'
import { slotOf } from './schema.ts'
import { Sweep, type Sweepable } from './sweep.ts'

/** How many events one transaction deletes or moves. */
const batch = 500

const page = 'SELECT seq, topic, type FROM {unrouted} WHERE seq > $1 ORDER BY seq LIMIT $2'
/** $1 and $2: which event goes to which queue. Whatever another process has moved meanwhile is not there any more. */
const move = `
  WITH gone AS (DELETE FROM {unrouted} WHERE seq = ANY($1::bigint[]) RETURNING *),
  taken AS (
    INSERT INTO {messages} (queue, id, slot, type, key, head, data, bytes, taken, due)
    SELECT queue, id, ${slotOf('q.ordered')}, type, key, head, data, bytes, taken,
      CASE WHEN due > statement_timestamp() THEN due END
    FROM unnest($1::bigint[], $2::int4[]) AS r (seq, queue) JOIN gone USING (seq)
      JOIN (SELECT id AS queue, ordered FROM {queues}) q USING (queue)
    ORDER BY seq
    ON CONFLICT (queue, id) DO NOTHING
  )
  SELECT count(*)::int AS count FROM gone`
const old: Sweepable = {
  sql: `DELETE FROM {unrouted} WHERE seq IN (
    SELECT seq FROM {unrouted} WHERE taken < now() - $2 * interval '1 ms' ORDER BY taken LIMIT $1
  )`,
  batch,
}

/** What became of some events. */
interface Retried {
  /** How many found a queue, and which queues. */
  readonly routed: number
  readonly queues: readonly number[]
  /** Where to go on; undefined: these were the last. */
  readonly next: string | undefined
}

/** The events that no queue subscribes to, for as long as `retention` says. */
export class Unrouted {
  readonly #sweep: Sweep

  /** @param retention milliseconds */
  constructor(database: Database, clock: Clock, retention: number) {
    this.#sweep = new Sweep(database, clock, old, retention)
  }

  /** Deletes those whose time is over, if it is time to look. */
  sweepSoon(): void {
    this.#sweep.soon()
  }

  /** Resolves when nothing is deleted any more. */
  close(): Promise<void> {
    return this.#sweep.close()
  }

  /** Routes some of the events behind `after` anew, in their order. */
  async retry(transaction: Runner, after: string, routes: Routes<number>): Promise<Retried> {
    const rows = await transaction.rows<{ seq: string; topic: string; type: string }>(page, after, batch)
    const found = rows.flatMap(({ seq, topic, type }) =>
      routes.of(topic, type).map((queue) => ({ seq, queue })),
    )
    const next = rows.length < batch ? undefined : rows.at(-1)?.seq
    if (found.length === 0) return { routed: 0, queues: [], next }
    const queues = found.map(({ queue }) => queue)
    const [moved] = await transaction.rows<{ count: number }>(
      move,
      found.map(({ seq }) => seq),
      queues,
    )
    return { routed: moved!.count, queues: [...new Set(queues)], next }
  }
}
