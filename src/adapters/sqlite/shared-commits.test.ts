import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'
import { SharedCommits } from './shared-commits.ts'

let folder: string
let database: Database
let commits: SharedCommits
/** How many writes each transaction had. */
let sizes: number[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-shared-commits-'))
  const path = join(folder, 'a.db')
  database = await openDatabase({ path, durability: 'process', busyLimit: 1_000, clock: systemClock })
  await database.commit(() =>
    database.script('CREATE TABLE numbers (n INTEGER PRIMARY KEY CHECK (n < 1000))'),
  )
  sizes = []
  const commit = database.commit.bind(database)
  database.commit = (work) =>
    commit(() => {
      const result = work()
      sizes.push((result as readonly unknown[]).length)
      return result
    })
  commits = new SharedCommits(database)
})

afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true })
})

const add = (n: number, bytes = 1): Promise<number> =>
  commits.run(bytes, () => {
    database.run('INSERT INTO numbers VALUES (?)', n)
    return n
  })
const numbers = (): readonly number[] =>
  database.all<{ n: number }>('SELECT n FROM numbers ORDER BY n').map(({ n }) => n)

test('what is written in one turn shares a transaction, and each gets its own answer', async () => {
  expect(await Promise.all([add(1), add(2), add(3)])).toEqual([1, 2, 3])
  expect(await add(4)).toBe(4)
  expect(sizes).toEqual([3, 1])
  expect(numbers()).toEqual([1, 2, 3, 4])
})

test('a transaction is bounded by number and by bytes, and nothing is overtaken', async () => {
  const done: number[] = []
  const all = Array.from({ length: 200 }, (_, n) => add(n).then(() => done.push(n)))
  const large = [200, 201, 202].map((n) => add(n, 700_000).then(() => done.push(n)))
  await Promise.all([...all, ...large])
  expect(sizes).toEqual([128, 73, 1, 1])
  expect(done).toEqual(done.toSorted((a, b) => a - b))
})

test('what the file refuses fails all that share, leaves nothing of them, and stops nothing after', async () => {
  const shared = await Promise.allSettled([add(1), add(1_000), add(2)])
  expect(shared.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  await add(3)
  expect(numbers()).toEqual([3])
})
