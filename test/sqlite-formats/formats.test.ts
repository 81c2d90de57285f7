import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { bootId } from '../../src/adapters/sqlite/boot.ts'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { createEvent } from '../../src/event/event.ts'
import { encodeEvent } from '../../src/event/outgoing.ts'
import type { Received, Session, Transport } from '../../src/contract/transport.ts'

const worker = fileURLToPath(new URL('../sqlite-worker.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-formats-'))
let last = 0
afterAll(() => rm(folder, { recursive: true }))

/** Versions whose files are kept here; those between are passed through. */
const versions = [1, 3] as const

/** A file that an older version left behind, with one event in each state it knew. */
function olderFile(version: (typeof versions)[number]): string {
  const path = join(folder, `${++last}.db`)
  const database = new DatabaseSync(path)
  database.exec(readFileSync(new URL(`./version-${version}.sql`, import.meta.url), 'utf8'))
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

const idsOf = (events: readonly Received[]): readonly string[] => events.map(({ id }) => id)

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

test.each(versions)('a file of version %d becomes what a new one is', async (version) => {
  const [older, fresh] = [olderFile(version), join(folder, `fresh-${version}.db`)]
  for (const path of [older, fresh]) {
    const transport = open(path)
    await transport.admin.queues()
    await transport.close()
  }
  expect(describeFile(older)).toEqual(describeFile(fresh))
})

test.each(versions)('nothing in a file of version %d is lost', async (version) => {
  const transport = open(olderFile(version))
  const alone = version === 1 ? [] : ['alone']
  const counts = { depth: 4 + alone.length, inFlight: 0, retrying: 1, delayed: 1, dead: 1 }
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
  expect(taken.received.map(({ id, data, attempt }) => ({ id, data, attempt }))).toEqual([
    { id: 'held', data: '{"order":"held"}', attempt: 1 },
    // It had failed twice, and its last holder had claimed it by itself.
    ...alone.map((id) => ({ id, data: `{"order":"${id}"}`, attempt: 4 })),
  ])
  await billing.settle(taken.received.map((of) => ({ of, as: 'ack' })))

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

test.each(versions)('what a process of version %d holds is its own until the lease ends', async (version) => {
  const path = olderFile(version)
  const older = new DatabaseSync(path)
  onTestFinished(() => older.close())
  older.prepare('UPDATE meta SET boot = ?').run(bootId())
  older.prepare('UPDATE held SET lease = ?').run(Math.ceil(systemClock.monotonic()) + 3_600_000)

  const transport = open(path)
  await transport.publish([encodeEvent(createEvent('order.placed', 1, { id: 'next', key: 'c' }))])
  const billing = await session(transport, 'billing', true)
  const take = (settle: readonly Received[]) => {
    const acks = settle.map((of) => ({ of, as: 'ack' }) as const)
    return billing.exchange({ settle: acks, max: 10, lapsed: 10 })
  }
  const first = await take([])
  expect(idsOf(first.received)).toEqual(['failed', 'ready'])
  expect(first.lapsed).toBe(false)

  older.exec('UPDATE held SET lease = 0')
  const { received } = await take(first.received)
  expect(idsOf(received)).toEqual(version === 1 ? ['held'] : ['held', 'alone'])
  expect(idsOf((await take(received)).received)).toEqual(['next'])
})

test('a process that has the file open while a newer version changes it is told to be started again', async () => {
  const path = join(folder, 'outlived.db')
  const transport = open(path)
  const orders = [{ topic: 'order', pattern: '*' }]
  await transport.declare([{ name: 'billing', subscriptions: orders, from: 'now', order: false }])
  const billing = await session(transport, 'billing', false)
  const newer = new DatabaseSync(path)
  onTestFinished(() => newer.close())
  newer.exec('ALTER TABLE events RENAME TO waiting_events; PRAGMA user_version = 5;')

  const told = { code: 'STORE_INCOMPATIBLE', message: expect.stringMatching(/format 5.* started again/) }
  const published = transport.publish([encodeEvent(createEvent('order.placed', 1))])
  await expect(published).rejects.toMatchObject({ ...told, retryable: false, results: ['rejected'] })
  await expect(billing.exchange({ settle: [], max: 1 })).rejects.toMatchObject(told)
  await expect(transport.admin.queues()).rejects.toMatchObject(told)
  // What it holds it cannot give back; its leases run out.
  await expect(transport.close()).rejects.toMatchObject(told)
})

test.each([
  "INSERT INTO messages (queue, due, taken, id, type, key, head, data) VALUES (1, NULL, 0, 'x', 'x', NULL, '{}', '')",
  'UPDATE messages SET due = NULL WHERE due IS NOT NULL',
  'DELETE FROM messages WHERE seq IN (SELECT h.seq FROM held h WHERE h.owner = 1 AND h.claim = 1)',
  'SELECT 1 FROM held WHERE seq = 1 AND owner = 1 AND claim = 1',
  'DELETE FROM held WHERE owner = 1',
  'UPDATE held SET owner = 1, claim = 1, lease = 1, lone = 1 WHERE seq = 9',
])('a process of version 3 fails from then on: %s', async (sql) => {
  const path = olderFile(3)
  const older = new DatabaseSync(path)
  onTestFinished(() => older.close())
  const statement = older.prepare(sql)
  await open(path).admin.queues()
  expect(() => statement.all()).toThrow(/no such (table|column)/)
})

test.each(versions)(
  'six processes open a file of version %d at once',
  async (version) => {
    const path = olderFile(version)
    const declared = Array.from({ length: 6 }, async () => {
      const child = spawn(process.execPath, [worker, 'declare', path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      const [code] = (await once(child, 'close')) as [number | null]
      return code
    })
    expect(await Promise.all(declared)).toEqual([0, 0, 0, 0, 0, 0])
    const queues = await open(path).admin.queues()
    expect(queues.map(({ name, depth }) => ({ name, depth }))).toEqual([
      { name: 'billing', depth: version === 1 ? 10 : 11 },
      { name: 'mail', depth: version === 1 ? 10 : 11 },
      { name: 'orders', depth: 6 },
    ])
  },
  30_000,
)
