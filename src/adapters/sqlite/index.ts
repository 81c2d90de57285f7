import { resolve } from 'node:path'
import { systemClock } from '../../clock/clock.ts'
import { milliseconds, type Duration } from '../../clock/duration.ts'
import type { Transport } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { SqliteTransaction } from './caller.ts'
import { SqliteTransport } from './sqlite-transport.ts'

export type { SqliteTransaction } from './caller.ts'

export interface SqliteOptions {
  /** The database file. It is made at first use; its folder must exist, on a local disk. */
  path: string
  /**
   * What a resolved publish survives: a power cut (`fsync`, the default), or only the death of the process (`process`,
   * several times faster where publishes come one at a time).
   */
  durability?: 'fsync' | 'process'
  /** How long events are kept that no queue subscribes to. Default 7 days. */
  retention?: Duration
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
  const {
    path,
    durability = 'fsync',
    retention = '7d',
  } = typeof options === 'string' ? { path: options } : options
  if (typeof path !== 'string' || path === '' || path.includes('\u0000')) {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`path\` to be a file name, got ${JSON.stringify(path) ?? String(path)}`,
    )
  }
  if (path.startsWith(':memory:')) {
    throw new MillraceError(
      'INVALID_OPTION',
      "sqlite needs a file; use memory() from 'millrace/memory' for events in memory",
    )
  }
  if (durability !== 'fsync' && durability !== 'process') {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`durability\` to be 'fsync' or 'process', got ${JSON.stringify(durability)}`,
    )
  }
  return new SqliteTransport({
    path: resolve(path),
    durability,
    retention: milliseconds(retention, 'retention'),
    busyLimit,
    clock: systemClock,
  })
}
