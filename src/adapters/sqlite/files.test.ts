import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import type { PublishError } from '../../contract/publish-error.ts'
import type { Notice, QueueSpec, SessionOptions } from '../../contract/transport.ts'
import { isMillraceError } from '../../errors/millrace-error.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent, type Outgoing } from '../../event/outgoing.ts'
import { isSameBoot } from './boot.ts'
import { declare } from './declaring.ts'
import { openEventFile } from './event-file.ts'
import { networkFileSystem } from './file-system.ts'
import { sqlite } from './index.ts'
import { checkSqlite } from './open-database.ts'
import { publish } from './publishing.ts'
import { SqliteTransport } from './sqlite-transport.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-files-'))
let last = 0
const newPath = (): string => join(folder, `${++last}.db`)

afterAll(() => rm(folder, { recursive: true }))

const orders: QueueSpec = {
  name: 'orders',
  subscriptions: [{ topic: 'order', pattern: '*' }],
  from: 'now',
  order: false,
}
const event = (data: unknown = null): Outgoing => encodeEvent(createEvent('order.placed', data))

function session(options: Partial<SessionOptions> = {}): SessionOptions {
  const rest = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  return { lease: 30_000, order: false, clock: systemClock, ...rest, ...options }
}

const settings = (path: string, changes: { busyLimit?: number; retention?: number } = {}) =>
  ({
    path,
    durability: 'fsync',
    retention: 1_000,
    busyLimit: 10_000,
    clock: systemClock,
    ...changes,
  }) as const

function transport(path: string, changes: { busyLimit?: number; retention?: number } = {}): SqliteTransport {
  const made = new SqliteTransport(settings(path, changes))
  onTestFinished(() => made.close())
  return made
}

function connection(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  onTestFinished(() => database.close())
  return database
}

/** A file with one waiting event, closed. */
async function usedFile(): Promise<string> {
  const path = newPath()
  const made = sqlite(path)
  await made.declare([orders])
  await made.publish([event('kept')])
  await made.close()
  return path
}

async function failure(promise: Promise<unknown>): Promise<PublishError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isMillraceError(error), `no coded error: ${String(error)}`).toBe(true)
  return error as PublishError
}

test('options that cannot work are refused at once', () => {
  for (const options of [
    ':memory:',
    '',
    { path: 'a', durability: 'none' as never },
    { path: 'a', retention: -1 },
  ]) {
    expect(() => sqlite(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  }
})

test('a text file is refused and left as it is', async () => {
  const path = newPath()
  const text = 'notes\n'.repeat(200)
  writeFileSync(path, text)
  expect(await failure(transport(path).publish([event()]))).toMatchObject({
    code: 'STORE_CORRUPT',
    results: ['rejected'],
    retryable: false,
  })
  expect(readFileSync(path, 'utf8')).toBe(text)
})

test('a damaged file is reported as such', async () => {
  const path = await usedFile()
  const bytes = readFileSync(path)
  bytes.fill(0xff, 4096, bytes.length)
  writeFileSync(path, bytes)
  expect(await failure(transport(path).publish([event()]))).toMatchObject({ code: 'STORE_CORRUPT' })
})

test('a database of something else is refused and left as it is', async () => {
  const path = newPath()
  const other = connection(path)
  other.exec('CREATE TABLE customers (name TEXT)')
  expect(await failure(transport(path).declare([orders]))).toMatchObject({ code: 'STORE_INCOMPATIBLE' })
  expect(other.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'customers' }])
  expect(other.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'delete' })
})

test('a file of a newer version is refused', async () => {
  const path = await usedFile()
  connection(path).exec('PRAGMA user_version = 99')
  expect(await failure(transport(path).publish([event()]))).toMatchObject({
    code: 'STORE_INCOMPATIBLE',
    retryable: false,
  })
})

test('a folder that is missing, or a folder in the place of the file, cannot be opened', async () => {
  const missing = join(folder, 'missing', 'a.db')
  expect(await failure(transport(missing).publish([event()]))).toMatchObject({
    code: 'TRANSPORT_UNREACHABLE',
  })
  const path = newPath()
  mkdirSync(path)
  expect(await failure(transport(path).publish([event()]))).toMatchObject({ code: 'TRANSPORT_UNREACHABLE' })
})

test('opening is tried again at the next use', async () => {
  const path = join(folder, 'later', 'a.db')
  const made = transport(path)
  await failure(made.declare([orders]))
  mkdirSync(join(folder, 'later'))
  expect((await made.declare([orders])).created).toEqual(['orders'])
})

test('a full disk refuses the publish as a whole and keeps what was taken', async () => {
  const file = await openEventFile(settings(newPath()))
  onTestFinished(() => file.database.close())
  await declare([orders], file)
  await publish([event('first')], {}, Date.now(), file)
  // What SQLite does when the system says ENOSPC, provoked by its own limit.
  file.database.script('PRAGMA max_page_count = 40')
  const many = Array.from({ length: 200 }, () => event('x'.repeat(4_000)))
  const error = await failure(publish(many, {}, Date.now(), file))
  expect(error).toMatchObject({ code: 'STORE_FULL', retryable: true })
  expect(new Set(error.results)).toEqual(new Set(['rejected']))
  const count = () => file.database.get<{ n: number }>('SELECT count(*) AS n FROM events')!.n
  expect(count()).toBe(1)
  file.database.script('PRAGMA max_page_count = 100000')
  await publish(many, {}, Date.now(), file)
  expect(count()).toBe(201)
})

test('a lock that is held for 300 ms delays a publish and never blocks the event loop', async () => {
  const path = await usedFile()
  const made = transport(path)
  await made.publish([event()])
  const other = connection(path)
  other.exec('BEGIN IMMEDIATE')
  let released = false
  setTimeout(() => {
    other.exec('COMMIT')
    released = true
  }, 300)
  let longest = 0
  let before = performance.now()
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - before)
    before = performance.now()
  }, 1)
  await made.publish([event()])
  clearInterval(watch)
  expect(released).toBe(true)
  expect(longest).toBeLessThan(200)
})

test('a lock that is held for too long fails the publish, which may be repeated', async () => {
  const path = await usedFile()
  const made = transport(path, { busyLimit: 100 })
  await made.publish([event()])
  const other = connection(path)
  other.exec('BEGIN IMMEDIATE')
  expect(await failure(made.publish([event(), event()]))).toMatchObject({
    code: 'STORE_BUSY',
    results: ['rejected', 'rejected'],
    retryable: true,
  })
  other.exec('ROLLBACK')
  await made.publish([event()])
})

test('a publish that waits for the lock can be aborted', async () => {
  const path = await usedFile()
  const made = transport(path)
  await made.publish([event()])
  connection(path).exec('BEGIN IMMEDIATE')
  const error = await failure(made.publish([event()], { signal: AbortSignal.timeout(20) }))
  expect(error).toMatchObject({ code: 'PUBLISH_ABORTED', results: ['rejected'] })
})

test('leases of an earlier start of the machine have run out', async () => {
  const path = await usedFile()
  const before = transport(path)
  const holder = await before.open('orders', session())
  expect((await holder.exchange({ settle: [], max: 1 })).received).toHaveLength(1)
  connection(path).exec("UPDATE meta SET boot = 'another start'")
  const consumer = await transport(path).open('orders', session())
  const { received } = await consumer.exchange({ settle: [], max: 0, lapsed: 1 })
  expect(received.map((one) => one.lapsed)).toEqual([true])
})

test('where a system has no id for its start, clocks that nearly agree are of one start', () => {
  expect(isSameBoot('started 1700000000000', 'started 1700000030000')).toBe(true)
  expect(isSameBoot('started 1700000000000', 'started 1700003600000')).toBe(false)
  expect(isSameBoot('started 1700000000000', '0b1c')).toBe(false)
})

test('a claim ends early where the data would not fit into memory', async () => {
  const large = 'x'.repeat(12 * 1024 * 1024)
  const path = newPath()
  const made = transport(path)
  await made.declare([orders])
  for (let n = 0; n < 5; n++) await made.publish([event(large)])
  const consumer = await made.open('orders', session())
  const take = async (max: number, lapsed: number) => {
    const taken = await consumer.exchange({ settle: [], max, lapsed })
    return [taken.received.length, taken.lapsed]
  }
  // 12 MiB each, 32 MiB at a time.
  expect(await take(10, 0)).toEqual([3, false])
  expect(await take(10, 0)).toEqual([2, false])
  connection(path).exec('UPDATE held SET lease = 0')
  expect(await take(0, 10)).toEqual([3, true])
  expect(await take(0, 10)).toEqual([2, false])
})

test('unrouted events are deleted when their retention is over', async () => {
  const path = newPath()
  const first = transport(path, { retention: 20 })
  await first.publish([event('old')])
  await first.close()
  const [stored] = connection(path).prepare('SELECT taken FROM unrouted').all() as [{ taken: number }]
  while (Date.now() <= stored.taken + 20) await new Promise((resolve) => setImmediate(resolve))
  await transport(path, { retention: 20 }).publish([event('new')])
  expect(connection(path).prepare('SELECT data FROM unrouted').all()).toEqual([{ data: '"new"' }])
})

test('where the wake-up file cannot be watched there is a notice, and events still come', async () => {
  const path = newPath()
  symlinkSync(join(folder, 'nowhere', 'wake'), `${path}-wake`)
  const made = transport(path)
  await made.declare([orders])
  const notices: Notice[] = []
  const consumer = await made.open('orders', session({ notice: (notice) => notices.push(notice) }))
  expect(notices.map(({ code, queue }) => ({ code, queue }))).toEqual([
    { code: 'WAKE_UP_DEGRADED', queue: 'orders' },
  ])
  await consumer.exchange({ settle: [], max: 1 })
  const waiting = consumer.ready(AbortSignal.timeout(5_000))
  await transport(path).publish([event()])
  await waiting
  expect((await consumer.exchange({ settle: [], max: 1 })).received).toHaveLength(1)
})

test('after close every call says so', async () => {
  const made = transport(await usedFile())
  await made.publish([event()])
  await made.close()
  await made.close()
  expect(await failure(made.publish([event()]))).toMatchObject({ code: 'STOPPED', results: ['rejected'] })
  expect(await failure(made.admin.queues())).toMatchObject({ code: 'STOPPED' })
})

test('a SQLite with the WAL-reset bug is refused', () => {
  for (const bad of ['3.7.0', '3.44.5', '3.45.1', '3.50.6', '3.51.2']) {
    expect(() => checkSqlite(bad), bad).toThrow(expect.objectContaining({ code: 'SQLITE_TOO_OLD' }))
  }
  for (const good of ['3.44.6', '3.50.7', '3.51.3', '3.53.4', '4.0.0'])
    expect(() => checkSqlite(good), good).not.toThrow()
})

test('network file systems are known by their type, which is signed on 32-bit systems', () => {
  expect([0x6969, 0xff534d42, 0xff534d42 | 0, 0xfe534d42].map(networkFileSystem)).toEqual([
    'NFS',
    'CIFS',
    'CIFS',
    'SMB2',
  ])
  // ext4, xfs, btrfs, tmpfs, overlay, fuse
  for (const local of [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x65735546]) {
    expect(networkFileSystem(local)).toBeUndefined()
  }
})

test('a file that is named by a link is kept as any other', async () => {
  const path = await usedFile()
  const link = newPath()
  symlinkSync(path, link)
  const made = transport(link)
  await made.publish([event('by the link')])
  const { received } = await (await made.open('orders', session())).exchange({ settle: [], max: 10 })
  expect(received.map(({ data }) => data)).toEqual(['"kept"', '"by the link"'])
})
