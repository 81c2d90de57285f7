import { statSync } from 'node:fs'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { SqliteTransaction, SqliteValue } from './sqlite-transaction.ts'
import type { Statements, Values } from './statements.ts'

/** SQL within the transaction of a caller, who begins and ends it. */
export class CallersTransaction implements Statements {
  readonly connection: SqliteTransaction

  /** @throws MillraceError TRANSACTION_INVALID unless it is one in the file at `path` */
  constructor(given: unknown, path: string) {
    if (!isConnection(given)) throw invalid(notOurs)
    if (!isOpen(given)) throw invalid('no transaction is open on the connection')
    this.connection = given
    const main = this.get<{ file: string | null }>(
      "SELECT file FROM pragma_database_list WHERE name = 'main'",
    )
    if (!isSameFile(main?.file, path)) throw invalid(`the main file of the connection is not ${path}`)
  }

  /** Runs work all of which, or nothing, is in the transaction from then on. */
  atomically(work: () => void): void {
    this.run('SAVEPOINT millrace')
    try {
      work()
    } catch (error) {
      // After some errors, a full disk among them, SQLite has rolled back all of it by itself.
      if (isOpen(this.connection)) {
        this.run('ROLLBACK TO millrace')
        this.run('RELEASE millrace')
      }
      throw error
    }
    this.run('RELEASE millrace')
  }

  all<Row>(sql: string, ...values: Values): Row[] {
    return this.#prepare(sql).all(...(values as SqliteValue[])) as Row[]
  }

  get<Row>(sql: string, ...values: Values): Row | undefined {
    return this.#prepare(sql).get(...(values as SqliteValue[])) as Row | undefined
  }

  run(sql: string, ...values: Values): number {
    return Number(this.#prepare(sql).run(...(values as SqliteValue[])).changes)
  }

  /** Anew each time: a connection that is not ours may have been closed and opened again meanwhile. */
  #prepare(sql: string): ReturnType<SqliteTransaction['prepare']> {
    const statement = this.connection.prepare(sql)
    // How rows come may be another with the caller's connection.
    statement.setReturnArrays(false)
    statement.setReadBigInts(false)
    return statement
  }
}

/**
 * Two copies of SQLite in one process do not see each other's locks, and so damage a file that both write
 * (https://sqlite.org/howtocorrupt.html, 2.2.1).
 */
const notOurs =
  "it is no DatabaseSync of node:sqlite. Libraries such as better-sqlite3 bring a SQLite of their own, whose locks Node's does not see in the same process"

function isConnection(given: unknown): given is SqliteTransaction {
  const sqlite = process.getBuiltinModule('node:sqlite')
  return given instanceof sqlite.DatabaseSync
}

/** Whether the transaction goes on. */
export function isOpen(connection: SqliteTransaction): boolean {
  try {
    return connection.isTransaction
  } catch {
    return false // it is closed
  }
}

function isSameFile(one: string | null | undefined, other: string): boolean {
  if (!one) return false
  const [a, b] = [statSync(one), statSync(other)]
  return a.dev === b.dev && a.ino === b.ino
}

function invalid(why: string): MillraceError {
  return new MillraceError('TRANSACTION_INVALID', `Not a transaction to publish in: ${why}`)
}
