import { latestTime } from '../../contract/stored-json.ts'
import type { Received, SettleResult, Settlement } from '../../contract/transport.ts'
import type { Database } from './database.ts'
import { mostFailures } from './schema.ts'
import type { StoredEvent } from './stored-event.ts'

/** Those of the list that this claim still holds. What a claim that came later holds has another number. */
const own = 'm.queue = $1 AND m.id = s.id AND m.claim = s.claim AND m.lease IS NOT NULL'

const giveBack = `
  UPDATE {messages} m SET lease = NULL, lone = false,
    due = statement_timestamp() + s.delay * interval '1 ms',
    failures = CASE WHEN s.failed THEN least(m.failures + 1, ${mostFailures}) ELSE m.failures END,
    parked = s.park OR NOT s.failed AND m.parked,
    trail = CASE WHEN s.failed THEN s.trail ELSE m.trail END
  FROM unnest($2::text[], $3::bigint[], $4::boolean[], $5::float8[], $6::boolean[], $7::text[])
    s (id, claim, failed, delay, park, trail)
  WHERE ${own} RETURNING m.id`
/** A letter is named by its event; a second one of the same event by the place that it had, too. */
const bury = `
  WITH gone AS (
    DELETE FROM {messages} m USING (VALUES ($2::text, $3::bigint)) s (id, claim) WHERE ${own} RETURNING m.*
  )
  INSERT INTO {dead} (queue, name, id, type, key, head, data, bytes, record)
  SELECT queue, CASE WHEN EXISTS (SELECT 1 FROM {dead} d WHERE d.queue = g.queue AND d.name = g.id)
    THEN g.id || '~' || g.seq ELSE g.id END,
    id, type, key, head, data, bytes, $4 FROM gone g`
const there = `
  SELECT m.id FROM {messages} m, unnest($2::text[], $3::float8[]) s (id, seq)
  WHERE m.queue = $1 AND m.id = s.id AND m.seq = s.seq`
const extendOwn = `
  UPDATE {messages} m SET lease = statement_timestamp() + $4::float8 * interval '1 ms'
  FROM unnest($2::text[], $3::bigint[]) s (id, claim) WHERE ${own} RETURNING m.id`

/** Settles and extends what one session holds. */
export class Settlements {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Retries, releases and deaths; the results of acks are left as they are. */
  async giveBack(queue: number, list: readonly Settlement[], results: SettleResult[]): Promise<void> {
    const back = list.filter(({ as }) => as === 'retry' || as === 'release')
    if (back.length > 0) {
      const done = await this.#database.rows<{ id: string }>(
        giveBack,
        queue,
        ...leasesOf(back.map(({ of }) => of)),
        back.map(({ as }) => as === 'retry'),
        back.map(({ delay = 0 }) => Math.min(delay, latestTime)),
        back.map(({ park = false }) => park),
        back.map(({ trail }) => (trail === undefined ? null : JSON.stringify(trail))),
      )
      const ids = new Set(done.map(({ id }) => id))
      for (const [i, one] of list.entries()) {
        if (one.as === 'retry' || one.as === 'release') results[i] = ids.has(one.of.id) ? 'done' : 'lost'
      }
    }
    for (const [i, { as, of, record }] of list.entries()) {
      if (as !== 'dead') continue
      const { id, claim } = of as StoredEvent
      const buried = await this.#database.run(bury, queue, id, claim, JSON.stringify(record))
      results[i] = buried === 1 ? 'done' : 'lost'
    }
  }

  /** Finds out which of those that were lost are there no more. */
  async sort(queue: number, list: readonly Settlement[], results: SettleResult[]): Promise<void> {
    const lost = list.filter((_, i) => results[i] === 'lost').map(({ of }) => of as StoredEvent)
    if (lost.length === 0) return
    const rows = await this.#database.rows<{ id: string }>(
      there,
      queue,
      lost.map(({ id }) => id),
      lost.map(({ seq }) => seq),
    )
    const ids = new Set(rows.map(({ id }) => id))
    for (const [i, { of }] of list.entries()) {
      if (results[i] === 'lost' && !ids.has(of.id)) results[i] = 'gone'
    }
  }

  async extend(queue: number, list: readonly Received[], ms: number): Promise<readonly ('ok' | 'lost')[]> {
    const rows = await this.#database.rows<{ id: string }>(
      extendOwn,
      queue,
      ...leasesOf(list),
      Math.min(ms, latestTime),
    )
    const ids = new Set(rows.map(({ id }) => id))
    return list.map(({ id }) => (ids.has(id) ? 'ok' : 'lost'))
  }
}

export function leasesOf(list: readonly Received[]): [ids: readonly string[], claims: readonly string[]] {
  const events = list as readonly StoredEvent[]
  return [events.map(({ id }) => id), events.map(({ claim }) => claim)]
}
