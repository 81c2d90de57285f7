import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { systemClock, type Clock } from '../../clock/clock.ts'
import { testStore } from '../../conformance/index.ts'
import { sqlite, sqliteLocks, sqliteStore } from './index.ts'
import { SqliteStore } from './sqlite-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-store-'))
const path = join(folder, 'suite.db')

afterAll(() => rm(folder, { recursive: true }))

testStore('sqlite', {
  open: (name) => sqliteStore({ path, name }),
  reopen: (name) => sqliteStore({ path, name }),
  processes: {
    module: new URL('../../../test/processes/sqlite-store.ts', import.meta.url),
    place: () => path,
  },
})

const day = 86_400_000
const unconditional = { ifAbsent: false, ifVersion: undefined }
let last = 0
let stepped = 0
let passed = 0

const clock: Clock = {
  now: () => systemClock.now() + stepped + passed,
  monotonic: () => systemClock.monotonic() + passed,
  after: (ms, run) => systemClock.after(ms, run),
}

function newPath(): string {
  return join(folder, `${++last}.db`)
}

/** A store by the clock of this file. */
function driverOn(file: string, name = 'default'): SqliteStore {
  const driver = new SqliteStore({ path: file, name, durability: 'process', busyLimit: 10_000, clock })
  onTestFinished(() => driver.close())
  return driver
}

function edit<T>(file: string, work: (database: DatabaseSync) => T): T {
  using database = new DatabaseSync(file)
  return work(database)
}

const rows = (file: string): unknown =>
  edit(file, (database) => database.prepare('SELECT count(*) AS count FROM millrace_entries').get()!['count'])

test('what is over leaves the file, a few at a time, whichever store of the file it is of', async () => {
  const file = newPath()
  const [one, other] = [driverOn(file, 'one'), driverOn(file, 'other')]
  for (let i = 0; i < 50; i++) await one.put(`key ${i}`, 'value', 1_000, unconditional)
  await one.put('for good', 'value', undefined, unconditional)
  passed += 2_000
  await other.put('a', 'value', undefined, unconditional)
  expect(rows(file)).toBe(36)
  for (const key of ['b', 'c', 'd']) await other.put(key, 'value', undefined, unconditional)
  expect(rows(file)).toBe(5)
})

test('a wall clock that is stepped ends no entry, and keeps none', async () => {
  const driver = driverOn(newPath())
  await driver.put('long', 'value', 2 * day, unconditional)
  stepped = 7 * day
  expect(await driver.get('long')).toBeDefined()
  await driver.put('short', 'value', 1_000, unconditional)
  stepped = -7 * day
  passed += 1_001
  expect(await driver.get('short')).toBeUndefined()
  stepped = 0
})

test('entries outlive a restart of the machine, and go on ending', async () => {
  const file = newPath()
  const before = driverOn(file)
  await before.put('a', 'value', day, unconditional)
  await before.close()
  edit(file, (database) => database.exec("UPDATE meta SET boot = 'another start of the machine'"))
  const after = driverOn(file)
  expect(await after.get('a')).toMatchObject({ value: 'value' })
  passed += day + 1
  expect(await after.get('a')).toBeUndefined()
})

test.each(['the store', 'the transport'])('%s may be the first in a file that both use', async (first) => {
  const file = newPath()
  await using transport = sqlite(file)
  await using store = sqliteStore(file)
  const uses = {
    'the store': () => store.put('a', 'value'),
    'the transport': () => transport.admin.queues(),
  }
  await uses[first as keyof typeof uses]()
  for (const use of Object.values(uses)) await use()
  await using again = sqlite(file)
  expect(await again.admin.queues()).toEqual([])
  expect(await store.get('a')).toMatchObject({ value: 'value' })
})

test('tables that users have made in the file are not touched', async () => {
  const file = newPath()
  await using transport = sqlite(file)
  await transport.admin.queues()
  edit(file, (database) => {
    for (const name of ['entries', 'locks', 'parts', 'stores']) database.exec(`CREATE TABLE ${name} (mine)`)
  })
  await using store = sqliteStore(file)
  await store.put('a', 'value')
  await using locks = sqliteLocks(file)
  expect(await locks.tryAcquire('a')).toBeDefined()
})

test('entries of a newer version are left alone; what else is in the file is not hurt', async () => {
  const file = newPath()
  await using store = sqliteStore(file)
  await store.put('a', 'value')
  await store.close()
  edit(file, (database) => database.exec('UPDATE millrace_parts SET version = 2'))
  await using older = sqliteStore(file)
  await expect(older.get('a')).rejects.toMatchObject({ code: 'STORE_INCOMPATIBLE' })
  await using transport = sqlite(file)
  expect(await transport.admin.queues()).toEqual([])
})

test.each([{ path: '' }, { path: ':memory:' }, { path: 'a.db', durability: 'none' as 'fsync' }])(
  'the options %j are refused at once',
  (options) => {
    expect(() => sqliteStore(options)).toThrowError(expect.objectContaining({ code: 'INVALID_OPTION' }))
  },
)

test('a name that no store can have is refused at once', () => {
  expect(() => sqliteStore({ path: 'a.db', name: 'a b' })).toThrowError(
    expect.objectContaining({ code: 'INVALID_NAME' }),
  )
})
