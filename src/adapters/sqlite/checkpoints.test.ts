import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import { checkpointThread, type Waiting } from './checkpoint-thread.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'

const pageSize = 4096
const mebibyte = 1024 * 1024
/** Of so many mebibytes that a log has to begin anew many times. */
const logs = 160
const refusal = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', syscall: 'fdatasync' })

let folder: string
let path: string
let database: Database

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-checkpoints-'))
  path = join(folder, 'events.db')
  database = await openDatabase({ path, durability: 'process', busyLimit: 10_000, clock: systemClock })
  await database.commit(() => database.script('CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)'))
})

afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true })
})

async function write(bytes: number): Promise<void> {
  await database.commit(() => database.run('INSERT INTO t (data) VALUES (zeroblob(?))', bytes))
  await turn()
}
const inCommits = (): number =>
  database.get<{ wal_autocheckpoint: number }>('PRAGMA wal_autocheckpoint')!.wal_autocheckpoint
const logSize = async (): Promise<number> => (await stat(`${path}-wal`)).size

describe('a thread', () => {
  test('writes the log back while others write, so that it never becomes long', async () => {
    for (let n = 0; n < logs; n++) await write(mebibyte)
    expect(inCommits()).toBe(0)
    expect(await logSize()).toBeLessThan((logs * mebibyte) / 2)
    await database.close()
    using other = new DatabaseSync(path)
    expect(other.prepare('SELECT count(*) AS n, sum(length(data)) AS bytes FROM t').get()).toEqual({
      n: logs,
      bytes: logs * mebibyte,
    })
  })

  test('writes it back also while another process never pauses', async () => {
    using other = new DatabaseSync(path, { timeout: 0 })
    other.exec('PRAGMA wal_autocheckpoint = 0; CREATE TABLE others (n INTEGER)')
    let writes = 0
    let refused = 0
    const end = new AbortController()
    const writing = (async () => {
      while (!end.signal.aborted) {
        try {
          other.exec('INSERT INTO others VALUES (1)')
          writes++
        } catch (error) {
          expect(error).toMatchObject({ errcode: 5 }) // busy
          refused++
        }
        await turn()
      }
    })()
    for (let n = 0; n < logs; n++) await write(mebibyte)
    end.abort()
    await writing
    expect(await logSize()).toBeLessThan((logs * mebibyte) / 2)
    expect(refused).toBeGreaterThan(0)
    expect(other.prepare('SELECT count(*) AS n FROM others').get()).toEqual({ n: writes })
  })

  test('is not there for a process that writes little', async () => {
    for (let n = 0; n < 100; n++) await write(100)
    expect(inCommits()).toBe(4_000)
  })

  test('is gone at the close, and the log with it', async () => {
    for (let n = 0; n < 8; n++) await write(mebibyte)
    await expect.poll(inCommits).toBe(0)
    await database.close()
    await expect(stat(`${path}-wal`)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('has what it wrote synced, but for the last pass, in which SQLite does that', async () => {
    const log: string[] = []
    const thread = await checkpointThread(path, (file) => {
      expect(file).toBe(path)
      return { sync: async () => void log.push('sync'), close: () => void log.push('close') }
    })
    await thread.pass('nobody')
    expect(log).toEqual(['sync'])
    await thread.pass('process')
    await thread.pass('machine')
    await thread.close()
    expect(log).toEqual(['sync', 'close'])
  })

  test('has failed if what it wrote cannot be synced', async () => {
    const sync = (): Promise<never> => Promise.reject(refusal)
    const thread = await checkpointThread(path, () => ({ sync, close: () => {} }))
    await expect(thread.pass('nobody')).rejects.toBe(refusal)
    await thread.pass('process')
    await thread.close()
  })
})

describe('of a thread', () => {
  /** Asked for a pass; each is made when the test answers it. */
  let asked: PromiseWithResolvers<void>[]
  let closed: number
  /** Who waits for each of those. */
  let waits: Waiting[]
  let hand: DatabaseSync

  beforeEach(() => {
    asked = []
    waits = []
    closed = 0
    hand = new DatabaseSync(path)
    database.checkpointBeside(async () => ({
      pass(who) {
        const answer = Promise.withResolvers<void>()
        asked.push(answer)
        waits.push(who)
        return answer.promise
      },
      close: async () => void closed++,
    }))
  })

  afterEach(() => hand.close())

  const rows = (): number => hand.prepare('SELECT count(*) AS n FROM t').get()!['n'] as number
  const log = (): number => hand.prepare('PRAGMA wal_checkpoint(NOOP)').get()!['log'] as number
  const pass = (): void => hand.exec('PRAGMA wal_checkpoint(PASSIVE)')
  async function answered(): Promise<void> {
    asked.at(-1)?.resolve()
    await turn()
  }
  /** Whether another write has to wait. Gives the write. */
  async function waiting(): Promise<[waits: boolean, write: Promise<void>]> {
    const before = rows()
    const another = write(1)
    await turn()
    return [rows() === before, another]
  }

  test('writes wait for the last pass only, and then the log begins anew', async () => {
    while (log() < 4_000) await write(mebibyte)
    expect(asked).toHaveLength(1)
    // What is written during the pass is not written back by it, as what a reader does not see.
    using reader = new DatabaseSync(path)
    reader.exec('BEGIN; SELECT * FROM t')
    await write(mebibyte)
    expect((await waiting())[0]).toBe(false)
    pass()
    reader.exec('COMMIT')
    await answered()
    await write(1)
    expect(waits).toEqual(['nobody', 'process'])
    const [isWaiting, another] = await waiting()
    expect(isWaiting).toBe(true)
    pass()
    await answered()
    await another
    expect(log()).toBeLessThan(10)
    expect((await waiting())[0]).toBe(false)
    expect(asked).toHaveLength(2)
  })

  test('that is slower than the writes, they wait for any pass', async () => {
    while (log() < 16_000) await write(mebibyte)
    expect(asked).toHaveLength(1)
    const [isWaiting, another] = await waiting()
    expect(isWaiting).toBe(true)
    pass()
    await answered()
    await another
  })

  test('nothing is asked in vain while a reader keeps it from going on', async () => {
    hand.exec('BEGIN; SELECT * FROM t')
    for (let n = 0; n < 16; n++) await write(mebibyte)
    asked[0]?.resolve()
    await turn()
    await write(1)
    await write(1)
    expect(asked).toHaveLength(1)
    for (let n = 0; n < 4; n++) await write(mebibyte)
    expect(asked).toHaveLength(2)
    asked[1]?.resolve()
    hand.exec('COMMIT')
  })

  test('that fails, SQLite does it in commits again', async () => {
    for (let n = 0; n < 16; n++) await write(mebibyte)
    expect(inCommits()).toBe(0)
    asked[0]?.reject(new Error('out of memory'))
    await turn()
    expect(inCommits()).toBe(4_000)
    await write(1)
    expect([rows(), asked.length, closed]).toEqual([17, 1, 1])
  })

  test.each([
    ['a sync', refusal],
    ['SQLite', Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 1034 })],
  ])('that the disk refuses something, the next write tells, once: met by %s', async (_by, error) => {
    for (let n = 0; n < 16; n++) await write(mebibyte)
    asked[0]?.reject(error)
    await turn()
    await expect(write(1)).rejects.toMatchObject({ code: 'STORE_FAILED', cause: error })
    await write(1)
    expect([rows(), closed, inCommits()]).toEqual([17, 1, 4_000])
  })
})

test('where there can be no thread, SQLite does it in commits', async () => {
  database.checkpointBeside(() => Promise.reject(new Error('Access to this API has been restricted')))
  for (let n = 0; n < 40; n++) await write(mebibyte)
  expect(inCommits()).toBe(4_000)
  expect(await logSize()).toBeLessThan(6_000 * pageSize)
})
