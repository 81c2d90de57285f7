import type { Notice } from '../../contract/transport.ts'
import type { PgPool } from './client.ts'
import { Database } from './database.ts'
import { migrate, type Migrating } from './migrate.ts'
import { openPool, type PoolConfig } from './pool.ts'
import { checkServer } from './server.ts'

export interface DatabaseOptions {
  /** The user's pool, or what is needed to make one. */
  readonly connect: { readonly pool: PgPool } | { readonly config: PoolConfig; readonly max: number }
  /** The server, for messages. No secret is in it. */
  readonly where: string
  readonly schema: string
  readonly migrate: Migrating
  /** How long a statement may take, in milliseconds. Default 1 min. */
  readonly longestStatement?: number
}

/** The database, with all tables in its schema. */
export interface OpenDatabase {
  readonly database: Database
  /** How the server is set up to lose what it has taken; undefined if it is not. */
  readonly weakness: Notice | undefined
  /** Closes the pool, unless it is the user's. */
  close(): Promise<void>
}

/** @throws MillraceError MISSING_PEER, TRANSPORT_UNREACHABLE, LOGIN_REFUSED, MIGRATION_NEEDED, a STORE_ code */
export async function openDatabase({ connect, where, ...options }: DatabaseOptions): Promise<OpenDatabase> {
  const { pool, close } =
    'pool' in connect ? { ...connect, close: async () => {} } : await openPool(connect.config, connect.max)
  const database = new Database(pool, options.schema, where, options.longestStatement)
  try {
    const weakness = await checkServer(database)
    await migrate(database, options.migrate)
    return { database, weakness, close }
  } catch (error) {
    await close()
    throw error
  }
}
