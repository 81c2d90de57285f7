import type { DatabaseSync } from 'node:sqlite'
import { expectTypeOf, test } from 'vitest'
import { millrace } from '../../index.ts'
import { memory } from '../memory/index.ts'
import { sqlite, type SqliteTransaction } from './index.ts'

declare const db: DatabaseSync

test('the real type of node:sqlite fits', () => {
  expectTypeOf<DatabaseSync>().toExtend<SqliteTransaction>()
  const app = millrace({ transport: sqlite('shop.db') })
  void app.publish('order.placed', {}, { transaction: db })
})

test('it fits through an outbox, whatever the transport is', () => {
  const app = millrace({ transport: memory(), outbox: sqlite('shop.db') })
  void app.publish('order.placed', {}, { transaction: db })
  // @ts-expect-error
  void app.publish('order.placed', {}, { transaction: 'BEGIN' })
  const byUrl = millrace({ transport: 'kafka://localhost:9092', outbox: sqlite('shop.db') })
  void byUrl.publish('order.placed', {}, { transaction: db })
})

test('nothing else does', () => {
  const app = millrace({ transport: sqlite('shop.db') })
  // @ts-expect-error better-sqlite3 has `inTransaction`, and a SQLite of its own
  void app.publish('order.placed', {}, { transaction: { inTransaction: true, prepare: db.prepare } })
  // @ts-expect-error
  void app.publish('order.placed', {}, { transaction: 'BEGIN' })
})
