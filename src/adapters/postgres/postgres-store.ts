import type { Clock } from '../../clock/clock.ts'
import type { Condition, Entry, PutResult, StoreDriver, StoreFeatures } from '../../contract/store.ts'
import { bytesOf, textOf, type Raw } from '../../event/payload.ts'
import { EndingRows, endOf } from './ending-rows.ts'
import type { DatabaseOptions } from './open-database.ts'

/** How many expired entries one transaction removes; each may be large. */
const sweptAtOnce = 100

/** It passes whole through memory, a few copies at a time, here and there. */
const maxBytes = 16 * 1024 * 1024

/** $1 and $2, in all statements, are the name of the store and the key. */
const isThere = 'space = $1 AND key = $2 AND (ends IS NULL OR ends > clock_timestamp())'

const get = `SELECT version, is_text AS "isText", value FROM {store} WHERE ${isThere}`
/** $3 the value, $4 whether it is text, $5 its ttl. */
const put = `
  INSERT INTO {store} AS s (space, key, value, is_text, ends) VALUES ($1, $2, $3, $4, ${endOf('$5')})
  ON CONFLICT (space, key) DO UPDATE
  SET version = DEFAULT, value = excluded.value, is_text = excluded.is_text, ends = ${endOf('$5')}`
const putAnyway = `${put} RETURNING version`
const putIfAbsent = `${put} WHERE s.ends <= clock_timestamp() RETURNING version`
/** $6 the version. */
const putIfVersion = `
  UPDATE {store} SET version = DEFAULT, value = $3, is_text = $4, ends = ${endOf('$5')}
  WHERE ${isThere} AND version = $6 RETURNING version`
/** $3 the ttl, $4 the version or NULL. */
const touch = `
  UPDATE {store} SET ends = ${endOf('$3')} WHERE ${isThere} AND version = coalesce($4, version) RETURNING version`
/** $3 the version or NULL. */
const remove = `DELETE FROM {store} WHERE ${isThere} AND version = coalesce($3, version)`

interface Row {
  readonly version: string
  readonly isText: boolean
  readonly value: Uint8Array
}

/** Entries in a table of the schema. */
export class PostgresStore implements StoreDriver {
  readonly system = 'postgres'
  readonly #name: string
  readonly #rows: EndingRows

  /** @param name of the store in the schema */
  constructor(options: DatabaseOptions, name: string, clock: Clock) {
    this.#name = name
    this.#rows = new EndingRows('{store}', sweptAtOnce, options, clock)
  }

  get features(): StoreFeatures {
    return {
      durable: this.#rows.durable,
      atomic: true,
      clock: 'server',
      ttlResolution: 1,
      maxBytes,
      processes: true,
    }
  }

  async get(key: string): Promise<Entry | undefined> {
    const [row] = await this.#query<Row>(get, bytesOf(key))
    return row && { value: row.isText ? textOf(row.value) : new Uint8Array(row.value), version: row.version }
  }

  async put(key: string, value: Raw, ttl: number | undefined, condition: Condition): Promise<PutResult> {
    const { ifAbsent, ifVersion } = condition
    const values = [bytesOf(key), bytesOf(value), typeof value === 'string', ttl]
    for (;;) {
      const [row] = await (ifVersion === undefined
        ? this.#query<Pick<Row, 'version'>>(ifAbsent ? putIfAbsent : putAnyway, ...values)
        : this.#query<Pick<Row, 'version'>>(putIfVersion, ...values, numberOf(ifVersion)))
      if (row !== undefined) {
        const { sweep } = await this.#rows.use()
        sweep.soon()
        return { stored: true, version: row.version }
      }
      // What kept it from being stored may be gone already: then it is tried again.
      const current = await this.get(key)
      if (current?.version !== ifVersion) return { stored: false, current }
    }
  }

  async touch(key: string, ttl: number, ifVersion: string | undefined): Promise<string | undefined> {
    const version = ifVersion === undefined ? null : numberOf(ifVersion)
    const [row] = await this.#query<Pick<Row, 'version'>>(touch, bytesOf(key), ttl, version)
    return row?.version
  }

  async delete(key: string, ifVersion: string | undefined): Promise<boolean> {
    const { database } = await this.#rows.use()
    const version = ifVersion === undefined ? null : numberOf(ifVersion)
    return (await database.run(remove, this.#name, bytesOf(key), version)) > 0
  }

  async close(): Promise<void> {
    await this.#rows.close()
  }

  async #query<R>(sql: string, ...values: readonly unknown[]): Promise<readonly R[]> {
    const { database } = await this.#rows.use()
    return await database.rows<R>(sql, this.#name, ...values)
  }
}

/** A version as Postgres takes it: of a text that never was one, a number that none has. */
function numberOf(version: string): string {
  return /^[1-9]\d{0,17}$/.test(version) ? version : '0'
}
