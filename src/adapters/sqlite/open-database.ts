import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../clock/clock.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { bootId, isRemembered, rememberBoot } from './boot.ts'
import { canBeMeasured, longLog } from './checkpoints.ts'
import { Database } from './database.ts'
import { cannotBeOpened, storeError } from './failures.ts'
import { checkFileSystem, isReadOnly } from './file-system.ts'
import { bringForward, checkFormat, isPresent } from './format.ts'
import { LogSync } from './log-sync.ts'

/** What survives a power cut: everything resolved (fsync), or everything but the last commits (process). */
export type Durability = 'fsync' | 'process'

export interface OpenOptions {
  /** Absolute. */
  readonly path: string
  readonly durability: Durability
  /** How long a file that another program keeps locked is waited for, in milliseconds. */
  readonly busyLimit: number
  readonly clock: Clock
}

/** Opens the file, or makes it. @throws MillraceError NODE_TOO_OLD, SQLITE_TOO_OLD, TRANSPORT_UNREACHABLE, a STORE_ code */
export async function openDatabase({ path, durability, busyLimit, clock }: OpenOptions): Promise<Database> {
  // Not an import, so that this module loads where node:sqlite does not exist.
  const sqlite = process.getBuiltinModule?.('node:sqlite')
  if (sqlite === undefined) {
    throw new MillraceError(
      'NODE_TOO_OLD',
      `Node.js ${process.versions.node} has no node:sqlite, which the sqlite transport needs`,
    )
  }
  await checkFileSystem(path)
  let database: Database | undefined
  try {
    const connection = new sqlite.DatabaseSync(path, { timeout: 0 })
    const log = durability === 'fsync' ? new LogSync(fileOf(connection)) : undefined
    database = new Database(connection, path, busyLimit, log)
    await prepare(database, clock)
    return database
  } catch (error) {
    await database?.close()
    if (cannotBeOpened(error instanceof MillraceError ? error.cause : error) && (await isReadOnly(path))) {
      throw new MillraceError('STORE_READ_ONLY', `The folder of ${path} is not writable`, { cause: error })
    }
    throw storeError(error, path)
  }
}

/** Where a path is a link, SQLite keeps its log beside the file that is meant. */
function fileOf(connection: DatabaseSync): string {
  return (connection.prepare('PRAGMA database_list').get() as { readonly file: string }).file
}

async function prepare(database: Database, clock: Clock): Promise<void> {
  const version = await database.read(() => {
    const found = database.get<{ version: string }>('SELECT sqlite_version() AS version')!.version
    checkSqlite(found)
    // Before anything is written: a database of something else stays as it is.
    checkFormat(database)
    return found
  })
  await database.read(() => {
    const mode = database.get<{ journal_mode: string }>('PRAGMA journal_mode = WAL')?.journal_mode
    if (mode !== 'wal')
      throw new MillraceError('STORE_FAILED', `${database.path} stays in journal mode ${mode}; WAL is needed`)
  })
  // Set explicitly: builds differ in their defaults. `LogSync` sees to it that commits reach the disk; only what SQLite
  // itself needs is left to it. fullfsync concerns macOS, whose fsync leaves data in the disk's cache.
  database.script(`
    PRAGMA synchronous = NORMAL;
    PRAGMA fullfsync = 1;
    PRAGMA checkpoint_fullfsync = 1;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = ${longLog};
    PRAGMA cache_size = -16000;
  `)
  if (canBeMeasured(version)) database.checkpointBeside()
  const boot = bootId()
  // Only if it must, for that waits for whoever writes: it may be a transaction of the caller who waits for this.
  if (await database.read(() => isPresent(database) && isRemembered(database, boot))) return
  await database.commit(() => {
    bringForward(database)
    rememberBoot(database, boot, clock)
  })
}

/**
 * "The WAL-reset bug" (https://sqlite.org/wal.html): two connections that write and checkpoint at the same moment can lose
 * committed transactions. Fixed in 3.51.3, and in 3.50.7 and 3.44.6 of the older lines.
 * @throws MillraceError SQLITE_TOO_OLD
 */
export function checkSqlite(version: string): void {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  const sound =
    major > 3 ||
    minor > 51 ||
    (minor === 51 && patch >= 3) ||
    (minor === 50 && patch >= 7) ||
    (minor === 44 && patch >= 6)
  if (!sound)
    throw new MillraceError(
      'SQLITE_TOO_OLD',
      `This Node.js has SQLite ${version}, which has the WAL-reset bug`,
    )
}
