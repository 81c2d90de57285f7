import { copyFileSync, mkdtempSync, symlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type DatabaseSyncOptions } from 'node:sqlite'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import { manualClock } from '../../clock/manual-clock.ts'
import type { QueueSpec, Session, SessionOptions, Transport } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent, type Outgoing } from '../../event/outgoing.ts'
import { sqlite } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-transactions-'))
let last = 0
const newPath = (): string => join(folder, `${++last}.db`)

afterAll(() => rm(folder, { recursive: true }))

const orders: QueueSpec = {
  name: 'orders',
  subscriptions: [{ topic: 'order', pattern: '*' }],
  from: 'now',
  order: false,
}
const placed = (data: unknown = null): Outgoing => encodeEvent(createEvent('order.placed', data))

/** A file with the queue `orders`, and a caller's connection to it. */
async function opened(
  connect: (path: string) => DatabaseSync = node,
): Promise<{ path: string; transport: Transport; db: DatabaseSync }> {
  const path = newPath()
  const transport = sqlite(path)
  onTestFinished(() => transport.close())
  await transport.declare([orders])
  return { path, transport, db: connect(path) }
}

function node(path: string, options: DatabaseSyncOptions = {}): DatabaseSync {
  const db = new DatabaseSync(path, options)
  onTestFinished(() => void (db.isOpen && db.close()))
  return db
}

function session(transport: Transport, options: Partial<SessionOptions> = {}): Promise<Session> {
  const rest = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  return transport.open('orders', { lease: 30_000, order: false, clock: systemClock, ...rest, ...options })
}

async function dataIn(transport: Transport): Promise<readonly unknown[]> {
  const { received } = await (await session(transport)).exchange({ settle: [], max: 100 })
  return received.map(({ data }) => JSON.parse(String(data)) as unknown)
}

describe.each<[string, DatabaseSyncOptions]>([
  ['a connection', {}],
  ['one that gives arrays and big integers', { returnArrays: true, readBigInts: true }],
])("a caller's transaction on %s", (_name, options) => {
  const connect = (path: string): DatabaseSync => node(path, options)

  test('takes events along with what else is written in it', async () => {
    const { transport, db } = await opened(connect)
    db.exec('CREATE TABLE shop (name TEXT)')
    db.exec(`BEGIN; INSERT INTO shop VALUES ('kept')`)
    await transport.publish([placed(1), placed(2)], { transaction: db })
    await transport.publish([placed(3)], { transaction: db })
    db.exec('COMMIT')
    expect(await dataIn(transport)).toEqual([1, 2, 3])
  })

  test('leaves nothing when it is rolled back, and goes on itself after a publish that failed', async () => {
    const { transport, db } = await opened(connect)
    db.exec('BEGIN')
    await transport.publish([placed(1)], { transaction: db })
    db.exec('ROLLBACK')
    db.exec('BEGIN')
    await transport.publish([placed(2)], { transaction: db })
    const broken = { ...placed(3), id: null as unknown as string }
    await expect(transport.publish([placed(4), broken], { transaction: db })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      results: ['rejected', 'rejected'],
    })
    await transport.publish([placed(5)], { transaction: db })
    db.exec('COMMIT')
    expect(await dataIn(transport)).toEqual([2, 5])
  })

  test('that meets the lock of another process is told so, and may be tried again', async () => {
    const { path, transport, db } = await opened(connect)
    const other = node(path)
    other.exec('BEGIN IMMEDIATE')
    db.exec('PRAGMA busy_timeout = 1; BEGIN')
    await expect(transport.publish([placed()], { transaction: db })).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
      results: ['rejected'],
    })
    other.exec('COMMIT')
    await transport.publish([placed(1)], { transaction: db })
    db.exec('COMMIT')
    expect(await dataIn(transport)).toEqual([1])
  })
})

describe('what is no transaction in this file', () => {
  const given: Readonly<Record<string, (path: string) => unknown>> = {
    'an object of another kind': () => ({}),
    'a text': () => 'BEGIN',
    null: () => null,
    'a connection without a transaction': node,
    'a connection of another SQLite': () => ({ inTransaction: true, isTransaction: true, prepare() {} }),
    'a connection that is closed': (path) => {
      const db = node(path)
      db.close()
      return db
    },
    'a transaction in another file': () => begun(node(newPath())),
    'a transaction in a copy': (path) => {
      const copy = newPath()
      copyFileSync(path, copy)
      return begun(node(copy))
    },
    'a transaction in memory': () => begun(node(':memory:')),
    'a transaction that has the file attached only': (path) => {
      const db = node(':memory:')
      db.exec(`ATTACH '${path}' AS events`)
      return begun(db)
    },
  }
  test.each(Object.keys(given))('%s is refused', async (name) => {
    const { path, transport } = await opened()
    const transaction = given[name]!(path)
    await expect(transport.publish([placed()], { transaction })).rejects.toMatchObject({
      code: 'TRANSACTION_INVALID',
      retryable: false,
      results: ['rejected'],
    })
    expect(await dataIn(transport)).toEqual([])
  })
})

test('the file may be known by another name', async () => {
  const { path, transport } = await opened()
  const alias = newPath()
  symlinkSync(path, alias)
  const db = begun(node(alias))
  await transport.publish([placed(1)], { transaction: db })
  db.exec('COMMIT')
  expect(await dataIn(transport)).toEqual([1])
})

test('what another process has declared meanwhile is seen', async () => {
  const { path, transport, db } = await opened()
  await transport.publish([placed(1)])
  await using other = sqlite(path)
  await other.declare([{ ...orders, name: 'mail' }])
  db.exec('BEGIN')
  await transport.publish([placed(2)], { transaction: db })
  db.exec('COMMIT')
  expect((await transport.admin.queues()).map(({ name, depth }) => [name, depth])).toEqual([
    ['mail', 1],
    ['orders', 2],
  ])
})

test('opening and declaring what is there already wait for no transaction', async () => {
  const { path, db } = await opened()
  db.exec('BEGIN IMMEDIATE')
  await using late = sqlite(path)
  expect(await late.declare([orders])).toEqual({ created: [], kept: [] })
  await late.publish([placed(1)], { transaction: db })
  db.exec('COMMIT')
  expect(await dataIn(late)).toEqual([1])
})

describe('consumers wake', () => {
  // Their own slow look goes by a clock that stands still: only a hint can wake them.
  const waiting = async (transport: Transport): Promise<() => Promise<void>> => {
    const consumer = await session(transport, { clock: manualClock() })
    expect((await consumer.exchange({ settle: [], max: 1 })).received).toEqual([])
    return () => consumer.ready(new AbortController().signal)
  }

  test.each([0, 30])('after the commit, %d ms after the publish', async (ms) => {
    const { path, transport, db } = await opened()
    await using other = sqlite(path)
    const ready = [await waiting(transport), await waiting(other)]
    const woken = Promise.all(ready.map((wait) => wait()))
    db.exec('BEGIN')
    await transport.publish([placed()], { transaction: db })
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    db.exec('COMMIT')
    await woken
    expect(await dataIn(other)).toEqual([null])
  })
})

function begun(db: DatabaseSync): DatabaseSync {
  db.exec('BEGIN')
  return db
}
