import { systemClock } from '../../clock/clock.ts'
import { milliseconds } from '../../clock/duration.ts'
import { locksOn } from '../../contract/locks-on.ts'
import type { Locks } from '../../contract/locks.ts'
import { storeOn } from '../../contract/store-on.ts'
import type { Store } from '../../contract/store.ts'
import type { Transport } from '../../contract/transport.ts'
import { checkName } from '../../event/names.ts'
import { checkSchema, invalid } from './checks.ts'
import type { DatabaseOptions } from './open-database.ts'
import type {
  PostgresConnectionOptions,
  PostgresLocksOptions,
  PostgresOptions,
  PostgresStoreOptions,
} from './options.ts'
import { PostgresLocks } from './postgres-locks.ts'
import { PostgresStore } from './postgres-store.ts'
import { PostgresTransport } from './postgres-transport.ts'
import type { PostgresTransactions } from './transactions/joined-transaction.ts'
import { optionsFromUrl } from './url.ts'

export type { PgConnection, PgHandlerTransaction, PgPool, PgQuery, PgResult } from './client.ts'
export type {
  PostgresConnectionOptions,
  PostgresLocksOptions,
  PostgresOptions,
  PostgresStoreOptions,
} from './options.ts'
export type { PostgresTransaction, PostgresTransactions } from './transactions/joined-transaction.ts'

/**
 * PostgreSQL 15 or newer, in a schema of its own. Needs the package `pg`. A URL may have the options as parameters:
 * `postgres://user:password@host:5432/database?schema=shop&retention=30d`; all other parameters go to `pg`.
 * @throws MillraceError INVALID_OPTION. Whether the server answers shows at first use.
 * @example const app = millrace({ transport: postgres('postgres://localhost/shop') })
 */
export function postgres(options: string | PostgresOptions): Transport<PostgresTransactions> {
  const all = typeof options === 'string' ? optionsFromUrl(options) : options
  const { retention = '7d', remember = '7d', wake = 'both', pollInterval = '1s' } = all
  // The one connection of such a pool cannot listen and do anything else.
  const listens = all.pool?.options?.max !== 1
  checkOneOf('wake', wake, ['notify', 'interval', 'both'])
  return new PostgresTransport({
    ...databaseOptions(all),
    retention: milliseconds(retention, 'retention'),
    remember: milliseconds(remember, 'remember'),
    wake: { wake: listens ? wake : 'interval', pollInterval: milliseconds(pollInterval, 'pollInterval') },
    clock: systemClock,
  })
}

/**
 * A durable store in PostgreSQL, which any number of processes share; in the schema of a transport, or in one of its own. A URL is as for
 * `postgres`; what only a transport has means nothing in it.
 * @throws MillraceError INVALID_OPTION, INVALID_NAME. Whether the server answers shows at first use.
 * @example const store = postgresStore('postgres://localhost/shop')
 */
export function postgresStore(options: string | PostgresStoreOptions): Store {
  const all: PostgresStoreOptions = typeof options === 'string' ? optionsFromUrl(options) : options
  const { name = 'default' } = all
  return storeOn(new PostgresStore(databaseOptions(all), checkName(name, 'store'), systemClock))
}

/**
 * Locks in PostgreSQL, between any number of processes; in the schema of a transport, or in one of their own. A URL is as for
 * `postgres`; what only a transport has means nothing in it.
 * @throws MillraceError INVALID_OPTION, INVALID_NAME. Whether the server answers shows at first use.
 * @example await using lock = await postgresLocks('postgres://localhost/shop').acquire('nightly-report')
 */
export function postgresLocks(options: string | PostgresLocksOptions): Locks {
  const all: PostgresLocksOptions = typeof options === 'string' ? optionsFromUrl(options) : options
  const { name = 'default' } = all
  return locksOn(new PostgresLocks(databaseOptions(all), checkName(name, 'locks'), systemClock))
}

/** @throws MillraceError INVALID_OPTION */
function databaseOptions(options: PostgresConnectionOptions): DatabaseOptions {
  const { schema = 'millrace', migrate = 'auto' } = options
  checkSchema(schema)
  checkOneOf('migrate', migrate, ['auto', 'off'])
  return { ...connection(options), schema, migrate }
}

function connection(options: PostgresConnectionOptions): Pick<DatabaseOptions, 'connect' | 'where'> {
  const { pool, connectionString, host, port, database, user, password, ssl, max = 10 } = options
  if (pool !== undefined) {
    if (typeof pool.connect !== 'function') throw invalid('pool', 'a pool of `pg`', typeof pool)
    return { connect: { pool }, where: 'Postgres' }
  }
  if (!Number.isSafeInteger(max) || max < 1) throw invalid('max', 'a whole number from 1', max)
  const own = { host, port, database, user, password, ssl }
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined))
  const config = { ...given, ...(connectionString !== undefined && { connectionString }) }
  return { connect: { config, max }, where: whereOf(connectionString, host, port) }
}

/** No secret is in it. */
function whereOf(connectionString: string | undefined, host = 'localhost', port = 5432): string {
  if (connectionString === undefined) return `Postgres at ${host}:${port}`
  const url = URL.parse(connectionString)
  return url === null || url.host === '' ? 'Postgres' : `Postgres at ${url.host}`
}

function checkOneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw invalid(name, allowed.map((one) => `'${one}'`).join(' or '), value)
}
