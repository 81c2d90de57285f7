import { createHash } from 'node:crypto'
import type { PgConnection, PgPool, PgQuery, PgResult } from './client.ts'
import { storeError } from './failures.ts'

/** The commit was sent and no answer came: nobody can say whether it is there. */
export class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown'
}

/** Who runs statements: the database, or a transaction of it. */
export interface Runner {
  /** Tables stand in braces: `{messages}`. */
  rows<Row>(sql: string, ...values: readonly unknown[]): Promise<readonly Row[]>
  /** Gives how many rows were changed. */
  run(sql: string, ...values: readonly unknown[]): Promise<number>
}

/** The statements of millrace in one schema of a database, over a pool. Errors are coded. */
export class Database implements Runner {
  readonly schema: string
  readonly #pool: PgPool
  readonly #quoted: string
  readonly #statements = new Map<string, { readonly name: string; readonly text: string }>()

  constructor(pool: PgPool, schema: string) {
    this.#pool = pool
    this.schema = schema
    this.#quoted = quoted(schema)
  }

  async rows<Row>(sql: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    return (await this.#query(this.#pool, sql, values)).rows as readonly Row[]
  }

  async run(sql: string, ...values: readonly unknown[]): Promise<number> {
    return (await this.#query(this.#pool, sql, values)).rowCount ?? 0
  }

  /**
   * Runs statements in a transaction, on a connection of their own.
   * @throws CommitUnknown if it may have been committed
   */
  async transaction<T>(work: (runner: Runner) => Promise<T>): Promise<T> {
    const connection = await this.connect()
    let broken = false
    try {
      await this.#query(connection, 'BEGIN', [])
      const result = await work({
        rows: async <Row>(sql: string, ...values: readonly unknown[]) =>
          (await this.#query(connection, sql, values)).rows as readonly Row[],
        run: async (sql, ...values) => (await this.#query(connection, sql, values)).rowCount ?? 0,
      })
      await this.#commit(connection)
      return result
    } catch (error) {
      broken = await this.#query(connection, 'ROLLBACK', []).then(
        () => false,
        () => true,
      )
      throw error
    } finally {
      connection.release(broken)
    }
  }

  async connect(): Promise<PgConnection> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw storeError(error)
    }
  }

  /** The statement as the database gets it: for callers who run it on a connection of their own. */
  statement(sql: string): { readonly name: string; readonly text: string } {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      const text = sql.replaceAll(/\{(\w+)\}/g, (_, table: string) => `${this.#quoted}.${table}`)
      // By its text: a pool of the user's may carry the statements of several schemas.
      const name = `millrace_${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`
      statement = { name, text }
      this.#statements.set(sql, statement)
    }
    return statement
  }

  async #commit(connection: PgConnection): Promise<void> {
    try {
      await this.#query(connection, 'COMMIT', [])
    } catch (cause) {
      throw new CommitUnknown('No answer to the commit', { cause })
    }
  }

  async #query(
    on: { query(query: PgQuery): Promise<PgResult> },
    sql: string,
    values: readonly unknown[],
  ): Promise<PgResult> {
    try {
      return await on.query({ ...this.statement(sql), values })
    } catch (error) {
      throw storeError(error)
    }
  }
}

/** An identifier as SQL takes any. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
