import type { Clock } from '../../clock/clock.ts'
import type { LocksDriver, LocksFeatures, Taken } from '../../contract/locks.ts'
import { bytesOf } from '../../event/payload.ts'
import { EndingRows, endOf } from './ending-rows.ts'
import type { DatabaseOptions } from './open-database.ts'

/** How many locks of holders that died one transaction removes. */
const sweptAtOnce = 1_000

/*
 * Of all statements $1 and $2 are the names of the space and of the lock.
 *
 * Taking gives no row if somebody else has taken the lock meanwhile. A token is drawn before it is known whether there is a row, so
 * without `turn` one who stands still in between could come with a lower token after another has taken and released the lock. It is
 * an advisory lock until the statement has committed; only those wait for it who have seen the lock free. $3 the ttl, $4 names the turn.
 */
const take = `
  WITH held AS MATERIALIZED (
    SELECT ends FROM {locks} WHERE space = $1 AND name = $2 AND ends > clock_timestamp()
  ), turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended($4, 0)) WHERE NOT EXISTS (SELECT FROM held)
  ), taken AS (
    INSERT INTO {locks} AS l (space, name, ends) SELECT $1, $2, ${endOf('$3')} FROM turn
    ON CONFLICT (space, name) DO UPDATE SET token = DEFAULT, ends = ${endOf('$3')}
    WHERE l.ends <= clock_timestamp()
    RETURNING token
  )
  SELECT token, NULL::float8 AS "heldFor" FROM taken
  UNION ALL
  SELECT NULL, greatest(extract(epoch FROM ends - clock_timestamp()) * 1000, 0)::float8 FROM held`
/** $3 the token, $4 the ttl. */
const extend = `
  UPDATE {locks} SET ends = ${endOf('$4')}
  WHERE space = $1 AND name = $2 AND token = $3 AND ends > clock_timestamp()`
const release = 'DELETE FROM {locks} WHERE space = $1 AND name = $2 AND token = $3'

type TakenRow =
  | { readonly token: string; readonly heldFor: null }
  | { readonly token: null; readonly heldFor: number }

/** Locks in a table of the schema. */
export class PostgresLocks implements LocksDriver {
  readonly system = 'postgres'
  readonly #space: string
  readonly #rows: EndingRows

  /** @param name of the locks in the schema, apart from those of another name */
  constructor(options: DatabaseOptions, name: string, clock: Clock) {
    this.#space = name
    this.#rows = new EndingRows('{locks}', sweptAtOnce, options, clock)
  }

  get features(): LocksFeatures {
    return { durable: this.#rows.durable, clock: 'server', shortestTtl: 100, processes: true }
  }

  async take(name: string, ttl: number): Promise<Taken> {
    const { database, sweep } = await this.#rows.use()
    const turn = JSON.stringify(['millrace lock', database.schema, this.#space, name])
    for (;;) {
      const [row] = await database.rows<TakenRow>(take, this.#space, bytesOf(name), ttl, turn)
      if (row === undefined) continue
      if (row.token === null) return { heldFor: row.heldFor }
      sweep.soon()
      return { token: Number(row.token) }
    }
  }

  async extend(name: string, token: number, ttl: number): Promise<boolean> {
    const { database } = await this.#rows.use()
    return (await database.run(extend, this.#space, bytesOf(name), token, ttl)) > 0
  }

  async release(name: string, token: number): Promise<void> {
    const { database } = await this.#rows.use()
    await database.run(release, this.#space, bytesOf(name), token)
  }

  async close(): Promise<void> {
    await this.#rows.close()
  }
}
