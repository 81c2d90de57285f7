import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { openDatabase } from '../../src/adapters/sqlite/open-database.ts'
import { systemClock } from '../../src/clock/clock.ts'
import type { QueueOptions } from '../../src/index.ts'
import { appOn, type } from '../app.ts'
import { customerOf, order } from '../load.ts'
import type { Settings } from '../row.ts'

/** What decides speed. Read from a connection of ours, so that raw runs as we do. */
const pragmaNames = ['temp_store', 'wal_autocheckpoint', 'cache_size'] as const
/** As safe as we are. We sync the log beside the event loop; a bare loop leaves that to SQLite, in each COMMIT. */
const full = 2

/** A database as our adapter makes it, with the queue declared and nothing in it. */
export interface BenchFile extends AsyncDisposable {
  readonly path: string
  /** The row that one published event makes: what raw has to write, too. */
  readonly sample: Readonly<Record<string, SQLInputValue>>
  readonly pragmas: Readonly<Record<string, number>>
}

export async function makeFile(options: QueueOptions = {}): Promise<BenchFile> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const path = join(folder, 'events.db')
  const app = appOn(sqlite(path), () => {}, options)
  await app.publish(type, order(0), { key: customerOf(0) })
  await app.stop()
  const pragmas = await readPragmas(path)
  // It stays open, so that nobody who is measured pays for the checkpoint at the last close.
  const idle = new DatabaseSync(path)
  const sample = idle.prepare('SELECT * FROM events').get() as Record<string, SQLInputValue>
  idle.exec('DELETE FROM events; DELETE FROM ready')
  return {
    path,
    sample,
    pragmas,
    async [Symbol.asyncDispose]() {
      idle.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function readPragmas(path: string): Promise<Readonly<Record<string, number>>> {
  const ours = await openDatabase({ path, durability: 'fsync', busyLimit: 10_000, clock: systemClock })
  const read = (name: string): number =>
    Object.values(ours.get<Record<string, number>>(`PRAGMA ${name}`) ?? {})[0] ?? 0
  const pragmas = Object.fromEntries(pragmaNames.map((name) => [name, read(name)]))
  await ours.close()
  return { synchronous: full, ...pragmas }
}

/** What is the same for every row of sqlite. */
export function describe({ sample, pragmas }: BenchFile): Settings {
  const bytes = Buffer.byteLength(Object.values(sample).join(''))
  return {
    event: `1 KB of JSON, ${bytes} bytes with its attributes`,
    durable: 'fsync',
    'log written back': 'by a bare loop in its commits, by ours in a thread',
    ...pragmas,
  }
}
