import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CommitUnknown, Database } from './database.ts'
import { LogSync } from './log-sync.ts'

let folder: string
let path: string
let database: Database
/** The disk, as far as it is asked to keep what was committed: each call waits until the test answers it. */
let asked: PromiseWithResolvers<void>[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  path = join(folder, 'events.db')
  asked = []
  const log = new LogSync(path, () => {
    const answer = Promise.withResolvers<void>()
    asked.push(answer)
    return answer.promise
  })
  database = new Database(new DatabaseSync(path), path, 10_000, log)
  database.script('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE t (n INTEGER)')
})

afterEach(async () => {
  for (const { resolve } of asked) resolve()
  await database.close()
  await rm(folder, { recursive: true })
})

const add = (n: number): Promise<number> => database.write(() => database.run('INSERT INTO t VALUES (?)', n))

function seenByOthers(): number[] {
  using other = new DatabaseSync(path)
  return other
    .prepare('SELECT n FROM t ORDER BY n')
    .all()
    .map(({ n }) => n as number)
}

/** Until the disk has been asked so often. */
async function untilAsked(times: number): Promise<void> {
  await expect.poll(() => asked.length, { interval: 1 }).toBe(times)
}

test('a write resolves when the disk has it, and what needs no disk at once', async () => {
  let written = false
  const write = add(1).then(() => (written = true))
  await untilAsked(1)
  await database.commit(() => database.run('INSERT INTO t VALUES (2)'))
  expect([written, seenByOthers()]).toEqual([false, [1, 2]])
  asked[0]?.resolve()
  await write
  expect(asked).toHaveLength(1)
})

test('writes during a sync share the next one, and never the one under way', async () => {
  const first = add(1)
  await untilAsked(1)
  const others = Promise.all([add(2), add(3), add(4)])
  asked[0]?.resolve()
  await first
  await untilAsked(2)
  asked[1]?.resolve()
  await others
  expect(asked).toHaveLength(2)
})

test('what the disk refuses is unknown, and the next write begins a new log, so that nothing stands behind the gap', async () => {
  const refused = add(1)
  await untilAsked(1)
  asked[0]?.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }))
  await expect(refused).rejects.toMatchObject({ code: 'STORE_FAILED' })
  await expect(refused).rejects.toBeInstanceOf(CommitUnknown)
  const before = (await stat(`${path}-wal`)).size
  const next = add(2)
  await untilAsked(2)
  asked[1]?.resolve()
  await next
  expect((await stat(`${path}-wal`)).size).toBeLessThan(before)
  expect(seenByOthers()).toEqual([1, 2])
})

test('while a reader keeps the log from being begun anew, nothing is written behind the gap', async () => {
  const refused = add(1)
  await untilAsked(1)
  asked[0]?.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }))
  await expect(refused).rejects.toMatchObject({ code: 'STORE_FULL' })
  const reader = new DatabaseSync(path)
  reader.exec('BEGIN; SELECT * FROM t')
  await expect(add(2)).rejects.toMatchObject({ code: 'STORE_BUSY' })
  reader.exec('COMMIT')
  reader.close()
  const next = add(3)
  await untilAsked(2)
  asked[1]?.resolve()
  await next
  expect(seenByOthers()).toEqual([1, 3])
})

test('the log itself is brought to the disk; without one that is an error, and later it is there', async () => {
  const log = new LogSync(join(folder, 'other.db'))
  await expect(log.flush()).rejects.toMatchObject({ code: 'ENOENT' })
  using other = new DatabaseSync(join(folder, 'other.db'))
  other.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n)')
  await log.flush()
  await log.close()
})
