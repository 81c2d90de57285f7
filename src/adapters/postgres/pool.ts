import { MillraceError } from '../../errors/millrace-error.ts'
import type { PgPool } from './client.ts'
import { connectTimeout } from './database.ts'

/** After so long without a word TCP asks whether the server is still there, in milliseconds. */
const keepAliveDelay = 10_000

/** What `pg` is told of the server. */
export type PoolConfig = Readonly<Record<string, unknown>>

export interface OpenPool {
  readonly pool: PgPool
  close(): Promise<void>
}

/** @param max connections at most
 * @throws MillraceError MISSING_PEER, INVALID_OPTION */
export async function openPool(config: PoolConfig, max: number): Promise<OpenPool> {
  const { Pool } = await loadLibrary()
  const pool = new Pool({
    application_name: 'millrace',
    ...config,
    max,
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelay,
    allowExitOnIdle: true,
  })
  // A connection that breaks while nobody uses it is replaced by the pool.
  pool.on('error', () => undefined)
  return { pool, close: () => pool.end() }
}

async function loadLibrary(): Promise<typeof import('pg')> {
  try {
    return await import('pg')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new MillraceError('MISSING_PEER', 'Postgres needs its client: npm i pg', { cause })
  }
}
