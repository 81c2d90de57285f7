import { resolve } from 'node:path'
import { systemClock } from '../../clock/clock.ts'
import { milliseconds, type Duration } from '../../clock/duration.ts'
import { locksOn } from '../../contract/locks-on.ts'
import type { Locks } from '../../contract/locks.ts'
import { storeOn } from '../../contract/store-on.ts'
import type { Store } from '../../contract/store.ts'
import type { Transport } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { checkName } from '../../event/names.ts'
import type { OpenOptions } from './open-database.ts'
import { SqliteLocks } from './sqlite-locks.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { SqliteTransaction } from './sqlite-transaction.ts'
import { SqliteTransport } from './sqlite-transport.ts'

export type { SqliteTransaction } from './sqlite-transaction.ts'

interface FileOptions {
  /** The database file. It is made at first use; its folder must exist, on a local disk. */
  path: string
}

export interface SqliteOptions extends FileOptions {
  /**
   * What a resolved publish survives: a power cut (`fsync`, the default), or only the death of the process (`process`,
   * several times faster where publishes come one at a time).
   */
  durability?: 'fsync' | 'process'
  /** How long events are kept that no queue subscribes to. Default 7 days. */
  retention?: Duration
}

export interface SqliteStoreOptions extends FileOptions {
  /** Tells the store from others in the file: as many as one likes, each with keys of its own. Default `default`. */
  name?: string
  /** What a resolved put survives: a power cut (`fsync`, the default), or only the death of the process (`process`). */
  durability?: 'fsync' | 'process'
}

export interface SqliteLocksOptions extends FileOptions {
  /** Tells the locks from others in the file, which may be called the same. Default `default`. */
  name?: string
}

/** How long a file that another program keeps locked is waited for, in milliseconds. */
const busyLimit = 10_000

/**
 * A durable transport in one SQLite file, which several processes of this machine can share. Needs node:sqlite, and
 * nothing to install. Beside the file lie `-wal` and `-shm` while it is open, and `-wake`.
 * @throws MillraceError INVALID_OPTION. What is wrong with the file shows at first use.
 * @example const app = millrace({ transport: sqlite('shop.db') })
 */
export function sqlite(options: string | SqliteOptions): Transport<SqliteTransaction> {
  const { retention = '7d', ...file } = typeof options === 'string' ? { path: options } : options
  return new SqliteTransport({ ...openOptions(file), retention: milliseconds(retention, 'retention') })
}

/**
 * A durable store in a SQLite file, which several processes of this machine can share: in a file of its own, or in that of a transport.
 * @throws MillraceError INVALID_OPTION, INVALID_NAME. What is wrong with the file shows at first use.
 * @example const store = sqliteStore('shop.db')
 */
export function sqliteStore(options: string | SqliteStoreOptions): Store {
  const { name = 'default', ...file } = typeof options === 'string' ? { path: options } : options
  return storeOn(new SqliteStore({ ...openOptions(file), name: checkName(name, 'store') }))
}

/**
 * Locks in a SQLite file, between the processes of this machine: in a file of their own, or in that of a transport.
 * @throws MillraceError INVALID_OPTION, INVALID_NAME. What is wrong with the file shows at first use.
 * @example await using lock = await sqliteLocks('shop.db').acquire('nightly-report')
 */
export function sqliteLocks(options: string | SqliteLocksOptions): Locks {
  const { path, name = 'default' } = typeof options === 'string' ? { path: options } : options
  return locksOn(new SqliteLocks({ ...openOptions({ path }), name: checkName(name, 'locks') }))
}

/** @throws MillraceError INVALID_OPTION */
function openOptions({
  path,
  durability = 'fsync',
}: Pick<SqliteOptions, 'path' | 'durability'>): OpenOptions {
  if (typeof path !== 'string' || path === '' || path.includes('\u0000')) {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`path\` to be a file name, got ${JSON.stringify(path) ?? String(path)}`,
    )
  }
  if (path.startsWith(':memory:')) {
    throw new MillraceError(
      'INVALID_OPTION',
      "sqlite needs a file; 'millrace/memory' has what lives in memory",
    )
  }
  if (durability !== 'fsync' && durability !== 'process') {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`durability\` to be 'fsync' or 'process', got ${JSON.stringify(durability)}`,
    )
  }
  return { path: resolve(path), durability, busyLimit, clock: systemClock }
}
