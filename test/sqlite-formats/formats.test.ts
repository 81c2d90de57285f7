import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { createEvent } from '../../src/event/event.ts'
import { encodeEvent } from '../../src/event/outgoing.ts'
import type { Session, Transport } from '../../src/contract/transport.ts'

const worker = fileURLToPath(new URL('../sqlite-worker.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-formats-'))
let last = 0
afterAll(() => rm(folder, { recursive: true }))

/** A file that version 1 left behind. */
function olderFile(): string {
  const path = join(folder, `${++last}.db`)
  const database = new DatabaseSync(path)
  database.exec(readFileSync(new URL('./version-1.sql', import.meta.url), 'utf8'))
  database.close()
  return path
}

function open(path: string): Transport {
  const transport = sqlite(path)
  onTestFinished(() => transport.close())
  return transport
}

function session(transport: Transport, queue: string, order: boolean): Promise<Session> {
  const rest = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  return transport.open(queue, { lease: 30_000, order, clock: systemClock, ...rest })
}

function describeFile(path: string): unknown {
  const database = new DatabaseSync(path)
  onTestFinished(() => database.close())
  const all = (sql: string): unknown => database.prepare(sql).all()
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
  return {
    version: all('PRAGMA user_version'),
    tables: tables.map(({ name }) => [
      name,
      all(
        `SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('${String(name)}') ORDER BY name`,
      ),
    ]),
    indexes: all("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name"),
    integrity: all('PRAGMA integrity_check'),
  }
}

test('a file of version 1 becomes what a new one is', async () => {
  const [older, fresh] = [olderFile(), join(folder, 'fresh.db')]
  for (const path of [older, fresh]) {
    const transport = open(path)
    await transport.admin.queues()
    await transport.close()
  }
  expect(describeFile(older)).toEqual(describeFile(fresh))
})

test('nothing in a file of version 1 is lost', async () => {
  const transport = open(olderFile())
  const counts = { depth: 4, inFlight: 0, retrying: 1, delayed: 1, dead: 1 }
  expect(await transport.admin.queues()).toMatchObject([
    { name: 'billing', ...counts },
    { name: 'mail', ...counts },
  ])

  const billing = await session(transport, 'billing', true)
  const { received, lapsed } = await billing.exchange({ settle: [], max: 10 })
  expect(received.map(({ id, attempt, key }) => ({ id, attempt, key }))).toEqual([
    { id: 'failed', attempt: 2, key: 'b' },
    { id: 'ready', attempt: 1, key: 'd' },
  ])
  expect(received[0]?.trail?.history).toHaveLength(1)
  expect(lapsed).toBe(true)
  const taken = await billing.exchange({ settle: [], max: 0, lapsed: 10 })
  expect(taken.received.map(({ id, data }) => ({ id, data }))).toEqual([
    { id: 'held', data: '{"order":"held"}' },
  ])

  const mail = await session(transport, 'mail', false)
  const others = await mail.exchange({ settle: [], max: 10 })
  expect(others.received.map(({ id }) => id)).toEqual(['behind', 'failed', 'ready'])

  expect(await transport.admin.deadLetters('billing', { limit: 10 })).toMatchObject([
    { letter: 'buried', record: { attempts: 1, error: { message: 'no' } } },
  ])
  const customers = [{ topic: 'customer', pattern: '*' }]
  await transport.declare([{ name: 'late', subscriptions: customers, from: 'beginning', order: false }])
  const late = await session(transport, 'late', false)
  expect((await late.exchange({ settle: [], max: 10 })).received.map(({ id }) => id)).toEqual(['unrouted'])
})

test('a process that has the file open while a newer version changes it is told to be started again', async () => {
  const path = join(folder, 'outlived.db')
  const transport = open(path)
  const orders = [{ topic: 'order', pattern: '*' }]
  await transport.declare([{ name: 'billing', subscriptions: orders, from: 'now', order: false }])
  const billing = await session(transport, 'billing', false)
  const newer = new DatabaseSync(path)
  onTestFinished(() => newer.close())
  newer.exec('ALTER TABLE messages RENAME TO events; PRAGMA user_version = 4;')

  const told = { code: 'STORE_INCOMPATIBLE', message: expect.stringMatching(/format 4.* started again/) }
  const published = transport.publish([encodeEvent(createEvent('order.placed', 1))])
  await expect(published).rejects.toMatchObject({ ...told, retryable: false, results: ['rejected'] })
  await expect(billing.exchange({ settle: [], max: 1 })).rejects.toMatchObject(told)
  await expect(transport.admin.queues()).rejects.toMatchObject(told)
})

test('six processes open a file of version 1 at once', async () => {
  const path = olderFile()
  const declared = Array.from({ length: 6 }, async () => {
    const child = spawn(process.execPath, [worker, 'declare', path], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [code] = (await once(child, 'close')) as [number | null]
    return code
  })
  expect(await Promise.all(declared)).toEqual([0, 0, 0, 0, 0, 0])
  const queues = await open(path).admin.queues()
  expect(queues.map(({ name, depth }) => ({ name, depth }))).toEqual([
    { name: 'billing', depth: 10 },
    { name: 'mail', depth: 10 },
    { name: 'orders', depth: 6 },
  ])
}, 30_000)
