import { systemClock } from '../../clock/clock.ts'
import { milliseconds } from '../../clock/duration.ts'
import type { Transport } from '../../contract/transport.ts'
import type { EventTablesOptions } from './event-tables.ts'
import { checkSchema, invalid } from './checks.ts'
import type { PostgresOptions } from './options.ts'
import { PostgresTransport } from './postgres-transport.ts'
import type { PostgresTransactions } from './transactions/joined-transaction.ts'
import { optionsFromUrl } from './url.ts'

export type { PgConnection, PgHandlerTransaction, PgPool, PgQuery, PgResult } from './client.ts'
export type { PostgresOptions } from './options.ts'
export type { PostgresTransaction, PostgresTransactions } from './transactions/joined-transaction.ts'

/**
 * PostgreSQL 15 or newer, in a schema of its own. Needs the package `pg`. A URL may have the options as parameters:
 * `postgres://user:password@host:5432/database?schema=shop&retention=30d`; all other parameters go to `pg`.
 * @throws MillraceError INVALID_OPTION. Whether the server answers shows at first use.
 * @example const app = millrace({ transport: postgres('postgres://localhost/shop') })
 */
export function postgres(options: string | PostgresOptions): Transport<PostgresTransactions> {
  const all = typeof options === 'string' ? optionsFromUrl(options) : options
  const { schema = 'millrace', migrate = 'auto', retention = '7d', remember = '7d' } = all
  const { wake = 'both', pollInterval = '1s' } = all
  checkSchema(schema)
  checkOneOf('migrate', migrate, ['auto', 'off'])
  checkOneOf('wake', wake, ['notify', 'interval', 'both'])
  return new PostgresTransport({
    ...connection(all),
    schema,
    migrate,
    retention: milliseconds(retention, 'retention'),
    remember: milliseconds(remember, 'remember'),
    wake: { wake, pollInterval: milliseconds(pollInterval, 'pollInterval') },
    clock: systemClock,
  })
}

function connection(options: PostgresOptions): Pick<EventTablesOptions, 'connect' | 'where'> {
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
