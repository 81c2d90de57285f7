import { createHash } from 'node:crypto'
import { cancel } from './cancel.ts'
import type { PgConnection, PgPool, PgQuery, PgResult } from './client.ts'
import { isMillraceError, MillraceError } from '../../errors/millrace-error.ts'
import { types } from './parsers.ts'
import { connectError, OutcomeUnknown, sqlState, storeError } from './failures.ts'

/** How long a statement may take, in milliseconds: it may wait for a lock of somebody who never gives it back. */
const longestStatement = 60_000

/** How long the server may take to say that it has cancelled one, in milliseconds: the connection may be cut, without anybody having told. */
const longestCancel = 5_000

/** How long a connection is waited for, in milliseconds: the user's pool may wait for ever. */
export const connectTimeout = 10_000

/** What a server behind a pooler says that gives each transaction another connection: it does not know what was prepared. */
const unprepared: ReadonlySet<string | undefined> = new Set(['26000', '42P05'])

const cancelled = '57014'

/** Who runs statements: the database, or a transaction of it. */
export interface Runner {
  /** Tables stand in braces: `{messages}`; `{}` is their schema. */
  rows<Row>(sql: string, ...values: readonly unknown[]): Promise<readonly Row[]>
  /** Gives how many rows were changed. */
  run(sql: string, ...values: readonly unknown[]): Promise<number>
  /** Any number of statements, without values. They may take any time. */
  script(sql: string): Promise<void>
}

/** How a statement is sent. */
type How = Pick<PgQuery, 'name' | 'rowMode'>

/** The statements of millrace in one schema of a database, over a pool. Errors are coded. */
export class Database implements Runner {
  readonly schema: string
  /** The server, for messages. */
  readonly where: string
  readonly #pool: PgPool
  readonly #longest: number
  /** On which something was cancelled. That may come late, and then it hits what runs by then. */
  readonly #cancelled = new WeakSet<PgConnection>()
  readonly #statements = new Map<string, { readonly name: string; readonly text: string }>()
  #prepares = true

  /** @param longest how long a statement may take, in milliseconds */
  constructor(pool: PgPool, schema: string, where: string, longest = longestStatement) {
    this.#pool = pool
    this.#longest = longest
    this.schema = schema
    this.where = where
  }

  /** @throws OutcomeUnknown if it may have changed something */
  async rows<Row>(sql: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    return (await this.#alone(sql, values)).rows as readonly Row[]
  }

  /**
   * The same with each row as its values, in the order of the columns: for many rows that is much cheaper.
   * @throws OutcomeUnknown if it may have changed something
   */
  async tuples<Row extends readonly unknown[]>(
    sql: string,
    ...values: readonly unknown[]
  ): Promise<readonly Row[]> {
    return (await this.#alone(sql, values, { rowMode: 'array' })).rows as readonly Row[]
  }

  /** @throws OutcomeUnknown if it may have changed something */
  async run(sql: string, ...values: readonly unknown[]): Promise<number> {
    return (await this.#alone(sql, values)).rowCount ?? 0
  }

  async script(sql: string): Promise<void> {
    await this.transaction((runner) => runner.script(sql))
  }

  /**
   * Runs statements in a transaction, on a connection of their own.
   * @throws OutcomeUnknown if it may have been committed
   */
  transaction<T>(work: (runner: Runner, connection: PgConnection) => Promise<T>): Promise<T> {
    return this.#connected(async (connection) => {
      await this.#query(connection, 'BEGIN ISOLATION LEVEL READ COMMITTED', [])
      try {
        const result = await work(this.#runner(connection), connection)
        const { command } = await this.#decisive(this.#query(connection, 'COMMIT', []))
        if (command !== 'COMMIT') throw rolledBack()
        return result
      } catch (error) {
        if (!isLost(error)) await this.#query(connection, 'ROLLBACK', [])
        throw error
      }
    })
  }

  /** A connection of the pool, until `release`. @throws MillraceError TRANSPORT_UNREACHABLE, LOGIN_REFUSED */
  connect(): Promise<PgConnection> {
    return new Promise((resolve, reject) => {
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        const message = `${this.where}: no connection within ${connectTimeout} ms; all of the pool are in use, or the server does not answer`
        reject(new MillraceError('TRANSPORT_UNREACHABLE', message))
      }, connectTimeout)
      this.#pool.connect((error, connection) => {
        clearTimeout(timer)
        if (isLate) return connection?.release()
        if (connection === undefined) return reject(connectError(error, this.where))
        // A connection that breaks between two statements says so by an event, which without a listener ends the process.
        connection.on('error', ignore)
        resolve(connection)
      })
    })
  }

  /** @param broken whether the pool must not hand it out again */
  release(connection: PgConnection, broken = false): void {
    connection.removeListener('error', ignore)
    connection.release(broken || this.#cancelled.has(connection))
  }

  /** Ends the statement that is under way. The pool does not hand out the connection again. */
  cancel(connection: PgConnection): void {
    this.#cancelled.add(connection)
    cancel(connection, this.#pool)
  }

  /** The statement as the database gets it: for callers who run it on a connection of their own. */
  statement(sql: string): { readonly name: string; readonly text: string } {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      const text = inSchema(this.schema, sql)
      // By its text: a pool of the user's may carry the statements of several schemas.
      const name = `millrace_${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`
      statement = { name, text }
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #runner(connection: PgConnection): Runner {
    return {
      rows: async <Row>(sql: string, ...values: readonly unknown[]) =>
        (await this.#query(connection, sql, values)).rows as readonly Row[],
      run: async (sql, ...values) => (await this.#query(connection, sql, values)).rowCount ?? 0,
      script: async (sql) => {
        try {
          await connection.query({ text: inSchema(this.schema, sql) })
        } catch (error) {
          throw storeError(error, this.where)
        }
      },
    }
  }

  /** A statement that is a transaction of its own. */
  #alone(sql: string, values: readonly unknown[], how: How = {}): Promise<PgResult> {
    return this.#connected((connection) =>
      this.#decisive(
        this.#prepares
          ? this.#prepared(connection, sql, values, how)
          : this.#query(connection, sql, values, how),
      ),
    )
  }

  async #connected<T>(work: (connection: PgConnection) => Promise<T>): Promise<T> {
    const connection = await this.connect()
    let broken = false
    try {
      return await work(connection)
    } catch (error) {
      broken = isLost(error)
      throw error
    } finally {
      this.release(connection, broken)
    }
  }

  /** What may have been committed though it failed. */
  async #decisive<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if (!isMillraceError(error, 'CONNECTION_LOST')) throw error
      throw new OutcomeUnknown('CONNECTION_LOST', error.message, { cause: error.cause })
    }
  }

  /** Prepared, once for each connection. Not in a transaction: it would be lost where a pooler knows nothing of that. */
  async #prepared(
    connection: PgConnection,
    sql: string,
    values: readonly unknown[],
    how: How,
  ): Promise<PgResult> {
    const { name } = this.statement(sql)
    try {
      return await this.#query(connection, sql, values, { ...how, name })
    } catch (error) {
      if (!unprepared.has(sqlState(error))) throw error
      this.#prepares = false
      return this.#query(connection, sql, values, how)
    }
  }

  async #query(
    connection: PgConnection,
    sql: string,
    values: readonly unknown[],
    how: How = {},
  ): Promise<PgResult> {
    const { text } = this.statement(sql)
    try {
      return await this.#inTime(connection, { ...how, text, values: values as unknown[], types })
    } catch (error) {
      throw storeError(error, this.where)
    }
  }

  /** The server ends what takes too long: nobody would hear of it, and it could wait there for ever. */
  #inTime(connection: PgConnection, query: PgQuery): Promise<PgResult> {
    // What was cancelled ends soon, or never.
    const longest = this.#cancelled.has(connection) ? longestCancel : this.#longest
    return new Promise((resolve, reject) => {
      let late = false
      let timer = setTimeout(() => {
        late = true
        this.cancel(connection)
        timer = setTimeout(() => {
          // The first may have hit what ran before this statement.
          this.cancel(connection)
          reject(this.#unanswered(longest))
        }, longestCancel)
      }, longest)
      // Not by its promise: through those the rows of one answer outlive the next ones, until all of them are old.
      connection.query(query, (error, result) => {
        clearTimeout(timer)
        if (error) reject(late && sqlState(error) === cancelled ? this.#tookTooLong(longest, error) : error)
        // A commit that is cancelled while it waits for another server is told as done, and is only half as safe.
        else if (late) reject(this.#unanswered(longest))
        else resolve(result)
      })
    })
  }

  #unanswered(longest: number): MillraceError {
    return new MillraceError('CONNECTION_LOST', `${this.where}: no answer within ${longest} ms`)
  }

  #tookTooLong(longest: number, cause: unknown): MillraceError {
    const message = `${this.where}: a statement took longer than ${longest} ms and was cancelled; it may have waited for what a transaction of somebody else has locked`
    return new MillraceError('STORE_BUSY', message, { cause })
  }
}

/** Somebody has caught the error of a statement, and the server took back all that was done. */
function rolledBack(): MillraceError {
  const message =
    'A statement of the transaction had failed, so that its commit was a rollback: nothing of it is there'
  return new MillraceError('STORE_FAILED', message)
}

/** An identifier as SQL takes any. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** SQL with the names of one schema. */
export function inSchema(schema: string, sql: string): string {
  const name = quoted(schema)
  return sql.replaceAll(/\{(\w*)\}/g, (_, table: string) => (table === '' ? name : `${name}.${table}`))
}

function isLost(error: unknown): boolean {
  return isMillraceError(error, 'CONNECTION_LOST')
}

function ignore(): void {}
