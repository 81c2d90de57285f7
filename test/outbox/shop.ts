import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { createEvent, millrace, type App, type AppOptions, type MillraceEvent } from '../../src/index.ts'
import { lines } from '../signals.ts'

/** What a test has: a file that is the outbox, and what a shop does with it. */
export interface Shop {
  readonly path: string
  readonly db: DatabaseSync
  /** An app with the outbox in the file; stopped at the end of the test. */
  app(options: AppOptions): App & { readonly log: readonly string[]; saying(text: string): Promise<string> }
  /** Runs work in a transaction, and ends it so. */
  transaction(end: 'COMMIT' | 'ROLLBACK', work: (db: DatabaseSync) => Promise<unknown>): Promise<void>
}

export async function openShop(): Promise<Shop> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-outbox-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'shop.db')
  const file = sqlite(path)
  await file.admin.queues()
  await file.close()
  const db = new DatabaseSync(path, { timeout: 5_000 })
  onTestFinished(() => db.close())
  return {
    path,
    db,
    app(options) {
      const { log, logger, saying } = lines()
      const app = millrace({ outbox: sqlite(path), logger, ...options })
      onTestFinished(() => app.stop({ timeout: 0 }))
      return Object.assign(app, { log, saying })
    },
    async transaction(end, work) {
      db.exec('BEGIN IMMEDIATE')
      try {
        await work(db)
      } finally {
        db.exec(end)
      }
    },
  }
}

/** Events whose data is their number. */
export function numbered(count: number, keyOf?: (n: number) => string): readonly MillraceEvent[] {
  return Array.from({ length: count }, (_, n) =>
    createEvent('order.placed', n, keyOf === undefined ? {} : { key: keyOf(n) }),
  )
}
