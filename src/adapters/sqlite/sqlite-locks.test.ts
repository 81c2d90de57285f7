import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import { testLocks } from '../../conformance/index.ts'
import { sqliteLocks } from './index.ts'
import { SqliteLocks } from './sqlite-locks.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-locks-'))
const path = join(folder, 'suite.db')

afterAll(() => rm(folder, { recursive: true }))

testLocks('sqlite', {
  open: (name) => sqliteLocks({ path, name }),
  reopen: (name) => sqliteLocks({ path, name }),
  processes: {
    module: new URL('../../../test/processes/sqlite-locks.ts', import.meta.url),
    place: () => path,
  },
})

let last = 0

/** Locks without renewal, as holders that were killed leave them. */
function driverOn(file: string, passed = 0): SqliteLocks {
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passed }
  const driver = new SqliteLocks({
    path: file,
    name: 'default',
    durability: 'fsync',
    busyLimit: 10_000,
    clock,
  })
  onTestFinished(() => driver.close())
  return driver
}

test('a restart of the machine frees every lock, and tokens go on ascending', async () => {
  const file = join(folder, `${++last}.db`)
  const before = driverOn(file)
  expect(await before.take('a', 3_600_000)).toEqual({ token: 1 })
  await before.close()
  const database = new DatabaseSync(file)
  database.exec("UPDATE meta SET boot = 'another start'; UPDATE millrace_locks SET boot = 'another start'")
  database.close()
  expect(await driverOn(file).take('a', 1_000)).toEqual({ token: 2 })
})

test('locks of holders that were killed leave the file, a few at a time', async () => {
  const file = join(folder, `${++last}.db`)
  const killed = driverOn(file)
  for (let i = 0; i < 50; i++) await killed.take(`lock ${i}`, 1_000)
  const later = driverOn(file, 2_000)
  const rows = (): unknown => {
    using database = new DatabaseSync(file)
    return database.prepare('SELECT count(*) AS count FROM millrace_locks').get()!['count']
  }
  await later.take('a', 1_000)
  expect(rows()).toBe(35)
  for (const name of ['b', 'c', 'd']) await later.take(name, 1_000)
  expect(rows()).toBe(4)
})

test('locks of different names in one file do not know each other', async () => {
  const file = join(folder, `${++last}.db`)
  await using one = sqliteLocks({ path: file, name: 'one' })
  await using other = sqliteLocks({ path: file, name: 'other' })
  expect(await one.tryAcquire('a')).toBeDefined()
  expect(await other.tryAcquire('a')).toBeDefined()
  expect(() => sqliteLocks({ path: file, name: '' })).toThrowError(
    expect.objectContaining({ code: 'INVALID_NAME' }),
  )
})
