import { MillraceError } from '../../../errors/millrace-error.ts'
import type { Transactions } from '../../../contract/transaction-types.ts'
import type { PgHandlerTransaction } from '../client.ts'
import type { Database, Runner } from '../database.ts'
import { drizzle, type DrizzleTransaction } from './drizzle.ts'
import { transactionError } from './failure.ts'
import { knex, type KnexTransaction } from './knex.ts'
import { kysely, type KyselyTransaction } from './kysely.ts'
import type { Statements } from './library.ts'
import { pg, type PgTransaction } from './pg.ts'
import { postgresJs, type PostgresJsTransaction } from './postgres-js.ts'
import { prisma, type PrismaTransaction } from './prisma.ts'

/** A transaction of one of the client libraries that people use. */
export type PostgresTransaction =
  | PgTransaction
  | PostgresJsTransaction
  | KyselyTransaction
  | DrizzleTransaction
  | KnexTransaction
  | PrismaTransaction

/** What publish takes, and what handlers get. */
export type PostgresTransactions = Transactions<PostgresTransaction, PgHandlerTransaction>

const libraries = [pg, postgresJs, kysely, drizzle, knex, prisma]

/** A caller's transaction. Statements have tables in braces, and run one after another. */
export interface JoinedTransaction extends Pick<Runner, 'rows'> {
  /** What makes it this transaction and no other. */
  readonly identity: object
  /** The columns are texts. @throws MillraceError: the transaction can only be rolled back */
  rows<Row>(sql: string, ...texts: readonly string[]): Promise<readonly Row[]>
}

/** @throws MillraceError TRANSACTION_INVALID, also if it has not begun or has ended, where that can be told */
export function joinTransaction(transaction: unknown, database: Database): JoinedTransaction {
  const identity = asObject(transaction)
  const run = statementsOf(identity)
  return {
    identity,
    async rows<Row>(sql: string, ...texts: readonly string[]) {
      const { text } = database.statement(sql)
      try {
        return (await run(text, texts)) as readonly Row[]
      } catch (error) {
        throw transactionError(error, text)
      }
    },
  }
}

function statementsOf(candidate: object): Statements {
  for (const library of libraries) {
    const joined = library.join(candidate)
    if (typeof joined === 'string') throw invalid(`${joined}. Pass ${library.transaction}`)
    if (joined !== undefined) return joined
  }
  throw unknown()
}

/** One library's transactions are functions. */
function asObject(value: unknown): object {
  if ((typeof value === 'object' && value !== null) || typeof value === 'function') return value
  throw unknown()
}

function unknown(): MillraceError {
  const known = libraries.map(({ transaction }) => transaction).join('; ')
  return invalid(`\`transaction\` is of no library that is known. It takes: ${known}`)
}

function invalid(message: string): MillraceError {
  return new MillraceError('TRANSACTION_INVALID', message)
}
