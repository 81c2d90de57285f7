import type { Clock } from '../../clock/clock.ts'
import type { LocksDriver, LocksFeatures, Taken } from '../../contract/locks.ts'
import type { Database } from './database.ts'
import type { OpenOptions } from './open-database.ts'
import { Opening } from '../../contract/opening.ts'
import { openPartFile, type PartFile } from './part-file.ts'
import type { Part } from './parts.ts'

/*
 * One row for each lock that is held. Its number is the token: AUTOINCREMENT never gives one twice, so that rows can go. `ends` is by
 * the machine's monotonic clock, which begins anew with each start of the machine: rows of an earlier one are nobody's.
 */
const locks: Part = {
  name: 'locks',
  steps: [
    `
    CREATE TABLE millrace_locks (
      token INTEGER PRIMARY KEY AUTOINCREMENT,
      space TEXT NOT NULL,
      name TEXT NOT NULL,
      ends INTEGER NOT NULL,
      boot TEXT NOT NULL,
      CHECK (token <= ${Number.MAX_SAFE_INTEGER} AND ends BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER})
    ) STRICT;
    CREATE UNIQUE INDEX millrace_locks_name ON millrace_locks (space, name);
    CREATE INDEX millrace_locks_ends ON millrace_locks (ends);
    `,
  ],
}

/** How many locks of holders that died one take removes at most. */
const sweptAtOnce = 16

const features: LocksFeatures = {
  durable: 'fsync',
  clock: 'machine',
  shortestTtl: 100,
  processes: true,
}

/** Every process that opens the file does this before it takes a lock, so all rows are of this start of the machine then. */
function forgetEarlierStarts(database: Database): void {
  database.run('DELETE FROM millrace_locks WHERE boot <> (SELECT boot FROM meta)')
}

/** Locks in a table of the file. */
export class SqliteLocks implements LocksDriver {
  readonly system = 'sqlite'
  readonly features = features
  readonly #space: string
  readonly #file: Opening<PartFile>
  readonly #clock: Clock

  /** @param options.name of the locks in the file, apart from those of another name */
  constructor(options: OpenOptions & { readonly name: string }) {
    this.#space = options.name
    this.#clock = options.clock
    this.#file = new Opening(() => openPartFile(options, locks, forgetEarlierStarts))
  }

  async take(name: string, ttl: number): Promise<Taken> {
    const { database } = await this.#file.use()
    // Looked at first, so that those who wait for a lock do not keep others from writing.
    const held = await database.read(() => this.#holder(database, name))
    if (held !== undefined) return held
    const taken = await database.commit((): Taken => {
      const holder = this.#holder(database, name)
      if (holder !== undefined) return holder
      const now = this.#clock.monotonic()
      const { token } = database.get<{ token: number }>(
        `INSERT OR REPLACE INTO millrace_locks (space, name, ends, boot)
         SELECT ?, ?, ?, boot FROM meta RETURNING token`,
        this.#space,
        name,
        Math.ceil(now + ttl),
      )!
      database.run(
        `DELETE FROM millrace_locks WHERE token IN
          (SELECT token FROM millrace_locks WHERE ends <= ? ORDER BY ends LIMIT ${sweptAtOnce})`,
        now,
      )
      return { token }
    })
    // A token that a power cut takes back would be given once more.
    if ('token' in taken) await database.keep()
    return taken
  }

  async extend(_name: string, token: number, ttl: number): Promise<boolean> {
    const { database } = await this.#file.use()
    return await database.commit(() => {
      const now = this.#clock.monotonic()
      const ends = Math.ceil(now + ttl)
      return (
        database.run('UPDATE millrace_locks SET ends = ? WHERE token = ? AND ends > ?', ends, token, now) > 0
      )
    })
  }

  async release(_name: string, token: number): Promise<void> {
    const { database } = await this.#file.use()
    await database.commit(() => database.run('DELETE FROM millrace_locks WHERE token = ?', token))
  }

  async close(): Promise<void> {
    await (await this.#file.found())?.database.close()
  }

  /** undefined: it is free. */
  #holder(database: Database, name: string): { readonly heldFor: number } | undefined {
    const now = this.#clock.monotonic()
    const row = database.get<{ ends: number }>(
      'SELECT ends FROM millrace_locks WHERE space = ? AND name = ? AND ends > ?',
      this.#space,
      name,
      now,
    )
    return row && { heldFor: row.ends - now }
  }
}
