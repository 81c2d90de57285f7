import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { CommitUnknown, Database } from './database.ts'
import { LogSync } from './log-sync.ts'
import { publishError } from './publishing.ts'

let folder: string
let path: string
let database: Database
/** The disk, as far as it is asked to keep what was committed: each call waits until the test answers it. */
let asked: PromiseWithResolvers<void>[]
/** The same in the event loop. */
let syncNow: () => void

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  path = join(folder, 'events.db')
  asked = []
  syncNow = () => undefined
  const log = new LogSync(path, {
    sync() {
      const answer = Promise.withResolvers<void>()
      asked.push(answer)
      return answer.promise
    },
    syncNow: () => syncNow(),
  })
  database = new Database(new DatabaseSync(path), path, 50, log)
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

const eio = (): Error => Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })

test('what the disk refuses is written back at once, and the log begun anew: nothing stands behind the gap', async () => {
  const first = add(1)
  await untilAsked(1)
  const before = (await stat(`${path}-wal`)).size
  const second = add(2)
  asked[0]?.reject(eio())
  await first
  await untilAsked(2)
  expect((await stat(`${path}-wal`)).size).toBeLessThan(before)
  asked[1]?.resolve()
  await second
  expect(seenByOthers()).toEqual([1, 2])
})

test('while a reader keeps the log from being begun anew, nothing behind the gap counts as kept', async () => {
  const reader = new DatabaseSync(path)
  reader.exec('BEGIN; SELECT * FROM t')
  const first = add(1)
  await untilAsked(1)
  const second = add(2)
  asked[0]?.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }))
  await expect(first).rejects.toMatchObject({ code: 'STORE_FULL' })
  await expect(first).rejects.toBeInstanceOf(CommitUnknown)
  await untilAsked(2)
  // This sync is well; but what it brought to the disk is behind what it did not.
  asked[1]?.resolve()
  await expect(second).rejects.toBeInstanceOf(CommitUnknown)
  await expect(add(3)).rejects.toMatchObject({ code: 'STORE_BUSY' })
  reader.exec('COMMIT')
  reader.close()
  const next = add(4)
  await untilAsked(3)
  asked[2]?.resolve()
  await next
  expect(seenByOthers()).toEqual([1, 2, 4])
})

describe('the disk, in the event loop,', () => {
  const commit = (n: number): Promise<number> =>
    database.commit(() => database.run('INSERT INTO t VALUES (?)', n))

  beforeEach(async () => {
    const opened = add(1)
    await untilAsked(1)
    asked[0]?.resolve()
    await opened
    vi.useFakeTimers({ toFake: ['performance'] })
  })

  afterEach(() => void vi.useRealTimers())

  test('is waited for while the disk is quick; then beside it, until that has cost little', () => {
    let took = 1
    syncNow = () => void vi.advanceTimersByTime(took)
    expect([database.keepNow(), database.keepNow()]).toEqual([true, true])
    took = 2
    expect([database.keepNow(), database.keepNow()]).toEqual([true, false])
    vi.advanceTimersByTime(199)
    expect(database.keepNow()).toBe(false)
    vi.advanceTimersByTime(1)
    expect(database.keepNow()).toBe(true)
  })

  test('is waited for again as soon as a sync beside it was quick', async () => {
    syncNow = () => void vi.advanceTimersByTime(2)
    expect([database.keepNow(), database.keepNow()]).toEqual([true, false])
    const slow = add(2)
    await untilAsked(2)
    vi.advanceTimersByTime(2)
    asked[1]?.resolve()
    await slow
    expect(database.keepNow()).toBe(false)
    const quick = add(3)
    await untilAsked(3)
    asked[2]?.resolve()
    await quick
    expect(database.keepNow()).toBe(true)
  })

  test('is asked nothing while it is asked beside it: an error would be told to one of the two', async () => {
    const beside = add(2)
    await untilAsked(2)
    await commit(3)
    expect(database.keepNow()).toBe(false)
    asked[1]?.resolve()
    await beside
    expect(database.keepNow()).toBe(true)
  })

  test('may refuse, which is mended as well', async () => {
    await commit(2)
    syncNow = () => {
      throw eio()
    }
    const before = (await stat(`${path}-wal`)).size
    expect(database.keepNow()).toBe(false)
    const kept = database.keep()
    await untilAsked(2)
    asked[1]?.resolve()
    await kept
    expect((await stat(`${path}-wal`)).size).toBeLessThan(before)
    expect(seenByOthers()).toEqual([1, 2])
  })
})

test('the log itself is brought to the disk; without one that is an error, and later it is there', async () => {
  const log = new LogSync(join(folder, 'other.db'))
  await expect(log.flush()).rejects.toMatchObject({ code: 'ENOENT' })
  using other = new DatabaseSync(join(folder, 'other.db'))
  other.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n)')
  await log.flush()
  expect(log.flushNow()).toBe(true)
  await log.close()
  expect(log.flushNow()).toBe(false)
})

test('nobody is told that an event was not taken while that is not known', () => {
  const error = publishError(new CommitUnknown('STORE_FAILED', 'EIO'), 1, undefined)
  expect(error).toMatchObject({ results: ['unknown'], retryable: true, code: 'STORE_FAILED' })
  expect(error.message).toMatch(/not known/)
})
