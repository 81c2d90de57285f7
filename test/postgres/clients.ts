import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleJs } from 'drizzle-orm/postgres-js'
import type { Queries } from 'drizzle-orm/node-postgres'
import knex, { type Knex } from 'knex'
import { CamelCasePlugin, CompiledQuery, Kysely, PostgresDialect, type Transaction } from 'kysely'
import { Pool } from 'pg'
import postgres from 'postgres'
import type { PostgresTransaction } from '../../src/adapters/postgres/index.ts'
import { generatePrismaClient } from './prisma-client.ts'

/** A transaction of a library, as a test uses it. */
export interface Tx {
  readonly transaction: PostgresTransaction
  /** Runs a statement of the test's own in it. */
  run(sql: string): PromiseLike<unknown>
  /** Rolls back to where it began if `work` rejects. */
  savepoint(work: (inner: Tx) => Promise<void>): Promise<unknown>
}

/** A client library at a server. */
export interface Client extends AsyncDisposable {
  /** Commits if `work` resolves, rolls back and rejects if it rejects. */
  transaction(work: (tx: Tx) => Promise<void>, repeatable?: boolean): Promise<unknown>
  /** Those of its objects that one might take for a transaction. */
  readonly none: readonly object[]
}

/** How it begins where the library is not asked to. */
const repeatableRead = 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ'

/** By SAVEPOINT, where the library has no method. */
async function bySavepoint(tx: Tx, work: (inner: Tx) => Promise<void>): Promise<void> {
  await tx.run('SAVEPOINT inner_one')
  try {
    await work(tx)
  } catch (error) {
    await tx.run('ROLLBACK TO inner_one')
    throw error
  }
}

export const clients: Readonly<Record<string, (url: string) => Promise<Client>>> = {
  async pg(connectionString) {
    const pool = new Pool({ connectionString })
    return {
      none: [pool],
      async transaction(work, repeatable) {
        const transaction = await pool.connect()
        try {
          await transaction.query('BEGIN')
          const tx: Tx = {
            transaction,
            run: (sql) => transaction.query(sql),
            savepoint: (inner) => bySavepoint(tx, inner),
          }
          if (repeatable === true) await tx.run(repeatableRead)
          await work(tx)
          await transaction.query('COMMIT')
        } catch (error) {
          await transaction.query('ROLLBACK')
          throw error
        } finally {
          transaction.release()
        }
      },
      [Symbol.asyncDispose]: () => pool.end(),
    }
  },

  async postgres(url) {
    const sql = postgres(url, { transform: postgres.camel })
    const as = (transaction: postgres.TransactionSql): Tx => ({
      transaction,
      run: (text) => transaction.unsafe(text),
      savepoint: (work) => transaction.savepoint((inner) => work(as(inner))),
    })
    return {
      none: [sql],
      transaction: (work, repeatable) =>
        sql.begin(repeatable === true ? 'isolation level repeatable read' : '', (tx) => work(as(tx))),
      [Symbol.asyncDispose]: () => sql.end(),
    }
  },

  async kysely(connectionString) {
    const dialect = new PostgresDialect({ pool: new Pool({ connectionString }) })
    const db = new Kysely<object>({ dialect, plugins: [new CamelCasePlugin()] })
    const as = (transaction: Transaction<object>): Tx => {
      const tx: Tx = {
        transaction,
        run: (sql) => transaction.executeQuery(CompiledQuery.raw(sql)),
        savepoint: (inner) => bySavepoint(tx, inner),
      }
      return tx
    }
    return {
      none: [db],
      transaction: (work, repeatable) =>
        db
          .transaction()
          .setIsolationLevel(repeatable === true ? 'repeatable read' : 'read committed')
          .execute((tx) => work(as(tx))),
      [Symbol.asyncDispose]: () => db.destroy(),
    }
  },

  async 'drizzle over pg'(connectionString) {
    const pool = new Pool({ connectionString })
    return overDrizzle(drizzle({ client: pool }), () => pool.end())
  },

  async 'drizzle over postgres'(url) {
    const sql = postgres(url)
    return overDrizzle(drizzleJs({ client: sql }), () => sql.end())
  },

  async knex(connection) {
    const db = knex({ client: 'pg', connection })
    const as = (transaction: Knex.Transaction): Tx => ({
      transaction,
      run: (sql) => transaction.raw(sql),
      savepoint: (work) => transaction.transaction((inner) => work(as(inner))),
    })
    return {
      none: [db],
      transaction: (work, repeatable) =>
        db.transaction(
          (tx) => work(as(tx)),
          repeatable === true ? { isolationLevel: 'repeatable read' } : {},
        ),
      [Symbol.asyncDispose]: () => db.destroy(),
    }
  },

  async prisma(connectionString) {
    const generated = await generatePrismaClient()
    const module = pathToFileURL(join(generated.folder, 'client', 'client.ts')).href
    const { PrismaClient } = (await import(/* @vite-ignore */ module)) as {
      PrismaClient: new (options: { adapter: PrismaPg }) => PrismaClient
    }
    const db = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
    const as = (transaction: PrismaQueries): Tx => ({
      transaction,
      run: (sql) => transaction.$executeRawUnsafe(sql),
      savepoint: (work) => transaction.$transaction((inner) => work(as(inner))),
    })
    return {
      none: [db],
      transaction: (work, repeatable) =>
        db.$transaction(
          (tx) => work(as(tx)),
          repeatable === true ? { isolationLevel: 'RepeatableRead' } : {},
        ),
      async [Symbol.asyncDispose]() {
        await db.$disconnect()
        await generated[Symbol.asyncDispose]()
      },
    }
  },
}

function overDrizzle(db: Queries, end: () => Promise<void>): Client {
  const as = (transaction: Parameters<Parameters<Queries['transaction']>[0]>[0]): Tx => ({
    transaction,
    run: (sql) => transaction.execute(sql),
    savepoint: (work) => transaction.transaction((inner) => work(as(inner))),
  })
  return {
    none: [db],
    transaction: (work, repeatable) =>
      db.transaction(
        (tx) => work(as(tx)),
        repeatable === true ? { isolationLevel: 'repeatable read' } : undefined,
      ),
    [Symbol.asyncDispose]: end,
  }
}

/** What is used of a generated client. */
interface PrismaQueries {
  $queryRawUnsafe(query: string, ...values: string[]): PromiseLike<unknown>
  $executeRawUnsafe(query: string): PromiseLike<unknown>
  $transaction<T>(run: (tx: PrismaQueries) => Promise<T>, options?: { isolationLevel?: string }): Promise<T>
}
interface PrismaClient extends PrismaQueries {
  $disconnect(): Promise<void>
}
