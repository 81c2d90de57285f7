import type { Database } from './database.ts'
import { slots as all } from './schema.ts'

/** How the slots of a queue are shared just now. */
export interface Sharing {
  /** Slots that are somebody's. */
  readonly owned: number
  /** Other sessions that want more. */
  readonly wanting: number
  /** Sessions that have slots or want some, this one too. */
  readonly sharing: number
  /** Sessions that have died, and whose slots were not taken from them yet. */
  readonly dead: number
}

const look = `
  SELECT (SELECT count(*)::int FROM {slots} WHERE queue = $2) AS owned,
    count(*) FILTER (WHERE lives AND wants AND id <> $1)::int AS wanting,
    count(*) FILTER (WHERE lives AND (wants OR id = $1 OR has))::int AS sharing,
    count(*) FILTER (WHERE NOT lives)::int AS dead
  FROM (
    SELECT id, wants, alive > statement_timestamp() AS lives,
      EXISTS (SELECT 1 FROM {slots} WHERE queue = $2 AND session = s.id) AS has
    FROM {sessions} s WHERE queue = $2
  ) s`
/** Waits for claims that are under way in the name of the dead; one that has told meanwhile that it lives, stays. */
const bury = `
  DELETE FROM {sessions} WHERE queue = $1 AND alive <= statement_timestamp() RETURNING id::float8 AS id`
/** A statement of its own: those that it waited for may have taken some. */
const inheritance = 'DELETE FROM {slots} WHERE queue = $1 AND session = ANY($2::bigint[])'
/** In ascending order, so that two who take at the same time do not wait for each other. */
const take = `
  WITH me AS MATERIALIZED (SELECT id FROM {sessions} WHERE id = $1 AND alive > statement_timestamp() FOR KEY SHARE)
  INSERT INTO {slots} (queue, slot, session)
  SELECT $2, n, me.id FROM me, generate_series(0, ${all - 1}) n
  WHERE NOT EXISTS (SELECT 1 FROM {slots} WHERE queue = $2 AND slot = n) ORDER BY n LIMIT $3
  ON CONFLICT DO NOTHING RETURNING slot`
/** Waits for whatever of the session is under way, so that the next statement sees it. */
const lock = 'SELECT id FROM {sessions} WHERE id = $1 FOR UPDATE'
/** Those in which nothing is in flight. A lease that is over cannot be extended. */
const free = `
  DELETE FROM {slots} WHERE queue = $2 AND session = $1 AND slot = ANY(ARRAY(
    SELECT s.slot FROM {slots} s WHERE s.queue = $2 AND s.session = $1 AND NOT EXISTS (
      SELECT 1 FROM {messages} m WHERE m.queue = $2 AND m.slot = s.slot AND m.lease > statement_timestamp()
    ) ORDER BY s.slot DESC LIMIT $3
  )) RETURNING slot`
const want = 'UPDATE {sessions} SET wants = $2 WHERE id = $1'

/** The slots of a queue with order by key that are one session's: nobody else claims events of their keys. */
export class Slots {
  readonly #database: Database
  readonly #queue: number
  readonly #mine = new Set<number>()
  /** Not claimed from any more, until they are free. */
  readonly #leaving = new Set<number>()

  constructor(database: Database, queue: number) {
    this.#database = database
    this.#queue = queue
  }

  get mine(): readonly number[] {
    return [...this.#mine]
  }

  get count(): number {
    return this.#mine.size
  }

  get hasAll(): boolean {
    return this.#mine.size === all && this.#leaving.size === 0
  }

  /** How many are not claimed from any more. */
  get leaving(): number {
    return this.#leaving.size
  }

  /** What may be claimed from, a bit each, as a signed number of 64 bits. */
  get bits(): string {
    let bits = 0n
    for (const slot of this.#mine) if (!this.#leaving.has(slot)) bits |= 1n << BigInt(slot)
    return String(BigInt.asIntN(64, bits))
  }

  set(slots: readonly number[]): void {
    this.#mine.clear()
    this.#leaving.clear()
    this.add(slots)
  }

  add(slots: readonly number[]): void {
    for (const slot of slots) this.#mine.add(slot)
  }

  async look(session: number): Promise<Sharing> {
    return (await this.#database.rows<Sharing>(look, session, this.#queue))[0]!
  }

  async bury(): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const dead = await transaction.rows<{ id: number }>(bury, this.#queue)
      const ids = dead.map(({ id }) => id)
      if (ids.length > 0) await transaction.run(inheritance, this.#queue, ids)
    })
  }

  /** Takes free ones. What is in them must be known before they are added. */
  async take(session: number, limit: number): Promise<readonly number[]> {
    const rows = await this.#database.rows<{ slot: number }>(take, session, this.#queue, limit)
    return rows.map(({ slot }) => slot)
  }

  /** Gives up to so many away; none may be claimed from meanwhile. What is in use stops being claimed from, if it `mustLeave`. */
  async free(session: number, limit: number, mustLeave: boolean): Promise<number> {
    const rows = await this.#database.transaction(async (transaction) => {
      await transaction.rows(lock, session)
      return transaction.rows<{ slot: number }>(free, session, this.#queue, limit)
    })
    for (const { slot } of rows) {
      this.#mine.delete(slot)
      this.#leaving.delete(slot)
    }
    for (const slot of this.#mine) {
      if (!mustLeave || this.#leaving.size >= limit - rows.length) break
      this.#leaving.add(slot)
    }
    return rows.length
  }

  /** Keeps those that were to leave. What is in them was passed over. */
  keep(): void {
    this.#leaving.clear()
  }

  async want(session: number, wants: boolean): Promise<void> {
    await this.#database.run(want, session, wants)
  }
}
