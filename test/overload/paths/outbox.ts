import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'pg'
import { postgres } from '../../../src/adapters/postgres/index.ts'
import { sqlite } from '../../../src/adapters/sqlite/index.ts'
import { createEvent, type Transport } from '../../../src/index.ts'
import { faultyTransport } from '../../faulty-transport.ts'
import type { Load, Overload, Path } from '../path.ts'
import { type } from '../producers.ts'
import { pathOn, slow } from './path-on.ts'

/** A database that is an outbox, as a shop has it. */
interface Database {
  /** How many transactions may be open at once. */
  readonly most: number
  /** Runs the work in a transaction, and commits. */
  transact(work: (transaction: unknown) => Promise<void>): Promise<void>
  close(): Promise<void>
}

const databases = {
  sqlite: { outbox: (url: string): Transport => sqlite(fileOf(url)), open: openSqlite },
  postgres: { outbox: (url: string): Transport => postgres(url), open: openPostgres },
} as const

function fileOf(url: string): string {
  return url.slice('sqlite:'.length)
}

function openSqlite(url: string): Database {
  const db = new DatabaseSync(fileOf(url), { timeout: 5_000 })
  return {
    most: 1,
    async transact(work) {
      await turn()
      db.exec('BEGIN IMMEDIATE')
      await work(db)
      db.exec('COMMIT')
    },
    close: async () => db.close(),
  }
}

function openPostgres(url: string): Database {
  const most = 8
  const pool = new Pool({ connectionString: url, max: most })
  return {
    most,
    async transact(work) {
      const client = await pool.connect()
      await client.query('BEGIN')
      await work(client)
      await client.query('COMMIT')
      client.release()
    },
    close: () => pool.end(),
  }
}

const eventsOfTransaction = 20

/**
 * As many publishers as the database has transactions, who commit one after the other; each event has so many bytes, and at
 * most so many wait, lest they fill the disk.
 */
function committed(
  open: (url: string) => Database,
  bytes: number,
  most = Infinity,
): (overload: Overload) => Promise<void> {
  const note = 'x'.repeat(bytes)
  return async ({ app, ledger, url, over }) => {
    const database = open(url)
    let next = 0
    const one = async (): Promise<void> => {
      while (!over.aborted) {
        if (ledger.open >= most) {
          await sleep(20)
          continue
        }
        const numbers = Array.from({ length: eventsOfTransaction }, () => next++)
        const events = numbers.map((n) => createEvent(type, { n, note } satisfies Load))
        await database.transact((transaction) => app.publish(events, { transaction }))
        for (const n of numbers) ledger.taken(n)
      }
    }
    await Promise.all(Array.from({ length: database.most }, one))
    await database.close()
  }
}

/** Memory that takes 100 ms for each publish while the load goes on. */
function slower(over: AbortSignal): Transport {
  return faultyTransport({
    async publish(call, events, options) {
      if (!over.aborted) await sleep(100)
      await call(events, options)
    },
  })
}

export const outboxPaths: readonly Path[] = (['sqlite', 'postgres'] as const).flatMap((system) => {
  const { outbox, open } = databases[system]
  return [
    pathOn(system, 'outbox', {
      about:
        'transactions of 20 events one after the other, and a relay to a transport that takes 100 ms for a publish',
      parts: (url, over) => ({ transport: slower(over), outbox: outbox(url) }),
      handle: () => undefined,
      load: committed(open, 256),
    }),
    pathOn(system, 'outbox-full', {
      about:
        'the same with events of 32 KB, and a relay to the memory transport, which is soon full: its 16 handlers take a second',
      told: ['STORE_FULL'],
      heap: 1_280,
      ceiling: 1_600,
      parts: (url) => ({ transport: 'memory:', outbox: outbox(url) }),
      handle: (_n, overload) => slow(overload, 1_000),
      load: committed(open, 32_768, 40_000),
    }),
  ]
})
