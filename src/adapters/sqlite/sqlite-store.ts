import type { Clock } from '../../clock/clock.ts'
import type { Condition, Entry, PutResult, StoreDriver, StoreFeatures } from '../../contract/store.ts'
import { latestTime } from '../../contract/stored-json.ts'
import { textOf, type Raw } from '../../event/payload.ts'
import { timesOf } from './boot.ts'
import type { Database } from './database.ts'
import type { OpenOptions } from './open-database.ts'
import { Opening } from '../../contract/opening.ts'
import { openPartFile, type PartFile } from './part-file.ts'
import type { Part } from './parts.ts'
import { SharedCommits } from './shared-commits.ts'

/*
 * A put makes a new row, whose number is the version: AUTOINCREMENT never gives one twice. `ends` is by the steady clock (see
 * `timesOf`). Numbers that JavaScript cannot hold would fail the reading; the check keeps them out.
 */
const entries: Part = {
  name: 'entries',
  steps: [
    `
    CREATE TABLE millrace_entries (
      version INTEGER PRIMARY KEY AUTOINCREMENT,
      store TEXT NOT NULL,
      key TEXT NOT NULL,
      ends INTEGER,
      value ANY NOT NULL,
      CHECK (version <= ${Number.MAX_SAFE_INTEGER} AND ends BETWEEN 0 AND ${latestTime} AND value >= '')
    ) STRICT;
    CREATE UNIQUE INDEX millrace_entries_key ON millrace_entries (store, key);
    CREATE INDEX millrace_entries_ends ON millrace_entries (ends) WHERE ends IS NOT NULL;
    `,
  ],
}

/** How many expired entries of the file one put removes at most: more than it can add, and never so many that somebody waits. */
const sweptAtOnce = 16

/** It passes whole through memory, and blocks the event loop for about a millisecond for each MiB. */
const maxBytes = 16 * 1024 * 1024

/** Of a store, a key, and the time that it is. */
const isThere = 'store = ? AND key = ? AND (ends IS NULL OR ends > ?)'

/** Node 22 and 24.15 read text only up to a NUL, so text is read as its bytes. */
interface Row {
  readonly version: number
  readonly isText: 0 | 1
  readonly bytes: Uint8Array
}

/** Entries in a table of the file. */
export class SqliteStore implements StoreDriver {
  readonly system = 'sqlite'
  readonly features: StoreFeatures
  readonly #name: string
  readonly #file: Opening<PartFile & { readonly commits: SharedCommits }>
  readonly #clock: Clock

  /** @param options.name of the store in the file */
  constructor(options: OpenOptions & { readonly name: string }) {
    this.#name = options.name
    this.#clock = options.clock
    this.#file = new Opening(async () => {
      const file = await openPartFile(options, entries)
      return { ...file, commits: new SharedCommits(file.database) }
    })
    this.features = {
      durable: options.durability,
      atomic: true,
      clock: 'machine',
      ttlResolution: 1,
      maxBytes,
      processes: true,
    }
  }

  async get(key: string): Promise<Entry | undefined> {
    const { database, booted } = await this.#file.use()
    return await database.read(() => entryOf(this.#find(database, key, this.#now(booted))))
  }

  async put(key: string, value: Raw, ttl: number | undefined, condition: Condition): Promise<PutResult> {
    const { database, booted, commits } = await this.#file.use()
    const result = await commits.run(value.length, (): PutResult => {
      const now = this.#now(booted)
      const { ifAbsent, ifVersion } = condition
      if (ifAbsent || ifVersion !== undefined) {
        const current = entryOf(this.#find(database, key, now))
        if (current?.version !== ifVersion) return { stored: false, current }
      }
      const ends = ttl === undefined ? null : Math.ceil(now + ttl)
      const { version } = database.get<Pick<Row, 'version'>>(
        `INSERT OR REPLACE INTO millrace_entries (store, key, ends, value) VALUES (?, ?, ?, ?)
         RETURNING version`,
        this.#name,
        key,
        ends,
        value,
      )!
      sweep(database, now)
      return { stored: true, version: String(version) }
    })
    if (result.stored) await database.keep()
    return result
  }

  async touch(key: string, ttl: number, ifVersion: string | undefined): Promise<string | undefined> {
    const { database, booted, commits } = await this.#file.use()
    const touched = await commits.run(0, () => {
      const now = this.#now(booted)
      const version = this.#versionOf(database, key, ifVersion, now)
      if (version === undefined) return undefined
      database.run('UPDATE millrace_entries SET ends = ? WHERE version = ?', Math.ceil(now + ttl), version)
      return String(version)
    })
    if (touched !== undefined) await database.keep()
    return touched
  }

  async delete(key: string, ifVersion: string | undefined): Promise<boolean> {
    const { database, booted, commits } = await this.#file.use()
    const isDeleted = await commits.run(0, () => {
      const version = this.#versionOf(database, key, ifVersion, this.#now(booted))
      if (version === undefined) return false
      return database.run('DELETE FROM millrace_entries WHERE version = ?', version) > 0
    })
    if (isDeleted) await database.keep()
    return isDeleted
  }

  async close(): Promise<void> {
    await (await this.#file.found())?.database.close()
  }

  #now(booted: number): number {
    return timesOf(this.#clock, booted).steady
  }

  #find(database: Database, key: string, now: number): Row | undefined {
    return database.get<Row>(
      `SELECT version, typeof(value) = 'text' AS isText, CAST(value AS BLOB) AS bytes
       FROM millrace_entries WHERE ${isThere}`,
      this.#name,
      key,
      now,
    )
  }

  /** Of the entry, if it is there and not of another version than asked for. */
  #versionOf(
    database: Database,
    key: string,
    ifVersion: string | undefined,
    now: number,
  ): number | undefined {
    const found = database.get<Pick<Row, 'version'>>(
      `SELECT version FROM millrace_entries WHERE ${isThere}`,
      this.#name,
      key,
      now,
    )
    return ifVersion === undefined || String(found?.version) === ifVersion ? found?.version : undefined
  }
}

function sweep(database: Database, now: number): void {
  database.run(
    `DELETE FROM millrace_entries WHERE version IN
      (SELECT version FROM millrace_entries WHERE ends <= ? ORDER BY ends LIMIT ${sweptAtOnce})`,
    now,
  )
}

function entryOf(row: Row | undefined): Entry | undefined {
  return row && { value: row.isText === 1 ? textOf(row.bytes) : row.bytes, version: String(row.version) }
}
