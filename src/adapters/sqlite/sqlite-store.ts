import type { Clock } from '../../clock/clock.ts'
import type { Condition, Entry, PutResult, StoreDriver, StoreFeatures } from '../../contract/store.ts'
import { latestTime } from '../../contract/stored-json.ts'
import type { Raw } from '../../event/payload.ts'
import { timesOf } from './boot.ts'
import type { Database } from './database.ts'
import type { OpenOptions } from './open-database.ts'
import { Opening } from './opening.ts'
import { openPartFile, type PartFile } from './part-file.ts'
import type { Part } from './parts.ts'

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

interface Row {
  readonly version: number
  readonly value: Raw
}

/** Entries in a table of the file. */
export class SqliteStore implements StoreDriver {
  readonly system = 'sqlite'
  readonly features: StoreFeatures
  readonly #name: string
  readonly #file: Opening<PartFile>
  readonly #clock: Clock

  /** @param options.name of the store in the file */
  constructor(options: OpenOptions & { readonly name: string }) {
    this.#name = options.name
    this.#clock = options.clock
    this.#file = new Opening(() => openPartFile(options, entries))
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
    const { database, booted } = await this.#file.use()
    const result = await database.commit((): PutResult => {
      const now = this.#now(booted)
      const { ifAbsent, ifVersion } = condition
      if (ifAbsent || ifVersion !== undefined) {
        const current = entryOf(this.#find(database, key, now))
        if (current?.version !== ifVersion) return { stored: false, current }
      }
      const ends = ttl === undefined ? null : Math.ceil(now + ttl)
      const { version } = database.get<Row>(
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
    const { database, booted } = await this.#file.use()
    return await database.write(() => {
      const now = this.#now(booted)
      const version = this.#versionOf(database, key, ifVersion, now)
      if (version !== undefined)
        database.run('UPDATE millrace_entries SET ends = ? WHERE version = ?', Math.ceil(now + ttl), version)
      return version === undefined ? undefined : String(version)
    })
  }

  async delete(key: string, ifVersion: string | undefined): Promise<boolean> {
    const { database, booted } = await this.#file.use()
    return await database.write(() => {
      const version = this.#versionOf(database, key, ifVersion, this.#now(booted))
      return (
        version !== undefined && database.run('DELETE FROM millrace_entries WHERE version = ?', version) > 0
      )
    })
  }

  async close(): Promise<void> {
    await (await this.#file.found())?.database.close()
  }

  #now(booted: number): number {
    return timesOf(this.#clock, booted).steady
  }

  #find(database: Database, key: string, now: number): Row | undefined {
    return database.get<Row>(
      `SELECT version, value FROM millrace_entries WHERE ${isThere}`,
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
  return row && { value: row.value, version: String(row.version) }
}
