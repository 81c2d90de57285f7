import type { Pool, QueryResult } from 'pg'
import { customerOf, idOf, order } from '../load.ts'
import type { BenchSchema } from './schema.ts'

/** What any program with a queue in Postgres does: put many in one statement, remove what was taken before and take many in one. */
export interface RawQueue {
  put(from: number, count: number, dataOf?: (n: number) => unknown): Promise<void>
  /** Gives how many were taken, and their data to `seen`. Several may overlap, each with a hand of its own. */
  take(hand: Hand, limit: number, seen?: (data: string) => void): Promise<number>
  /** How many events are in it, taken or not. */
  size(): Promise<number>
}

/** What one who takes holds. */
export interface Hand {
  readonly claim: number
  held: readonly string[]
}

export async function fill(queue: RawQueue, count: number): Promise<void> {
  for (let from = 0; from < count; from += 5_000) await queue.put(from, Math.min(5_000, count - from))
}

/** The bare client on our own tables, writing what we write. */
export class OurTables implements RawQueue {
  readonly #pool: Pool
  readonly #sample: BenchSchema['sample']
  readonly #statements: Statements

  constructor({ name, server, sample }: BenchSchema) {
    this.#pool = server.pool
    this.#sample = sample
    this.#statements = {
      put: `INSERT INTO ${name}.messages (queue, slot, id, type, key, head, data)
        SELECT $1, $2, id, $3, key, $4, data
        FROM unnest($5::text[], $6::text[], $7::text[]) WITH ORDINALITY AS e (id, key, data, n) ORDER BY n
        ON CONFLICT DO NOTHING`,
      take: `WITH done AS (DELETE FROM ${name}.messages WHERE queue = $1 AND id = ANY($2::text[]) AND claim = $3)
        UPDATE ${name}.messages SET claim = $3, lease = clock_timestamp() + interval '1 hour'
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${name}.messages
          WHERE queue = $1 AND lease IS NULL AND due IS NULL AND NOT aside ORDER BY seq LIMIT $4 FOR UPDATE SKIP LOCKED))
        RETURNING id, type, key, head, data, failures`,
      size: `SELECT count(*)::int AS count FROM ${name}.messages`,
    }
  }

  async put(from: number, count: number, dataOf: (n: number) => unknown = order): Promise<void> {
    const ids: string[] = []
    const keys: string[] = []
    const data: string[] = []
    for (let n = from; n < from + count; n++) {
      ids.push(idOf(n))
      keys.push(customerOf(n))
      data.push(JSON.stringify(dataOf(n)))
    }
    const { queue, slot, type, head } = this.#sample
    await run(this.#pool, this.#statements.put, [queue, slot, type, head, ids, keys, data])
  }

  async take(hand: Hand, limit: number, seen: (data: string) => void = () => {}): Promise<number> {
    const values = [this.#sample.queue, hand.held, hand.claim, limit]
    const rows = (await run(this.#pool, this.#statements.take, values)).rows as readonly {
      readonly id: string
      readonly data: string
    }[]
    hand.held = rows.map(({ id }) => id)
    for (const { data } of rows) seen(data)
    return rows.length
  }

  async size(): Promise<number> {
    return await countWith(this.#pool, this.#statements.size)
  }
}

export const minimalTable = `id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, due timestamptz NOT NULL DEFAULT now(),
  attempts int NOT NULL DEFAULT 0, lease int, body text NOT NULL`

/** The least table that keeps a lease and a date: what our columns and indexes cost shows against it. */
export class MinimalTable implements RawQueue {
  readonly #pool: Pool
  readonly #statements: Statements

  private constructor(pool: Pool, table: string) {
    this.#pool = pool
    this.#statements = {
      put: `INSERT INTO ${table} (body) SELECT unnest($1::text[])`,
      take: `WITH done AS (DELETE FROM ${table} WHERE id = ANY($1::bigint[]) AND lease = $2)
        UPDATE ${table} SET due = now() + interval '1 hour', attempts = attempts + 1, lease = $2
        WHERE id = ANY(ARRAY(SELECT id FROM ${table} WHERE due <= now() ORDER BY due, id LIMIT $3 FOR UPDATE SKIP LOCKED))
        RETURNING id, body`,
      size: `SELECT count(*)::int AS count FROM ${table}`,
    }
  }

  static async make({ name, server: { pool } }: BenchSchema): Promise<MinimalTable> {
    const table = `${name}.minimal`
    await pool.query(`CREATE TABLE ${table} (${minimalTable}); CREATE INDEX ON ${table} (due, id)`)
    return new MinimalTable(pool, table)
  }

  async put(from: number, count: number): Promise<void> {
    const bodies = Array.from({ length: count }, (_, n) => JSON.stringify(order(from + n)))
    await run(this.#pool, this.#statements.put, [bodies])
  }

  async take(hand: Hand, limit: number): Promise<number> {
    const { rows } = await run(this.#pool, this.#statements.take, [hand.held, hand.claim, limit])
    hand.held = (rows as readonly { readonly id: string }[]).map(({ id }) => id)
    return rows.length
  }

  async size(): Promise<number> {
    return await countWith(this.#pool, this.#statements.size)
  }
}

interface Statements {
  readonly put: string
  readonly take: string
  readonly size: string
}

const names = new Map<string, string>()

/** Prepared, as anybody does who wants to be fast. */
function run(pool: Pool, text: string, values: readonly unknown[]): Promise<QueryResult> {
  const name = names.get(text) ?? `raw${names.size}`
  names.set(text, name)
  return pool.query({ name, text, values: values as unknown[] })
}

async function countWith(pool: Pool, text: string): Promise<number> {
  return ((await pool.query(text)).rows[0] as { readonly count: number }).count
}
