import { execFileSync } from 'node:child_process'
import { fstatSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openEarlySync, realSync } from './early-sync.ts'

let path: string
let connection: DatabaseSync

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-sync-'))
  path = join(folder, 'events.db')
  connection = new DatabaseSync(path)
  connection.exec('CREATE TABLE t (n)')
  onTestFinished(() => {
    if (connection.isOpen) connection.close()
    return rm(folder, { recursive: true })
  })
})

const isOpen = (descriptor: number): boolean => {
  try {
    return fstatSync(descriptor).ino === statSync(path).ino
  } catch {
    return false
  }
}

/** Whether another process can take the lock that writing needs. */
function canWriteElsewhere(): boolean {
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    try { new DatabaseSync(process.argv[1]).exec('BEGIN IMMEDIATE'); console.log('yes') } catch { console.log('no') }`
  return execFileSync(process.execPath, ['--no-warnings', '-e', script, path]).toString() === 'yes\n'
}

describe.skipIf(process.platform !== 'linux')('an early sync', () => {
  test('goes through an opening of the file that nobody else has', async () => {
    const synced: number[] = []
    const sync = async (descriptor: number): Promise<void> => {
      synced.push(descriptor)
      await realSync(descriptor)
    }
    // Those of a database that is open twice, beside a program that reads the file.
    using reader = new DatabaseSync(path, { readOnly: true })
    reader.exec('SELECT * FROM t')
    const both = [openEarlySync(path, sync), openEarlySync(path, sync)]
    for (const early of both) await early!.sync()
    expect(synced.map(isOpen)).toEqual([true, true])
    expect(synced[0]).not.toBe(synced[1])
    for (const early of both) early!.close()
    // Of those, only the connections that are left are still open.
    expect(isOpen(synced[0]!) || isOpen(synced[1]!)).toBe(false)
    expect(connection.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 0 })
    expect(reader.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 0 })
  })

  test('ends without ending the locks of this process', async () => {
    const synced: number[] = []
    const early = openEarlySync(path, async (descriptor) => void synced.push(descriptor))
    await early!.sync()
    connection.exec('BEGIN IMMEDIATE')
    early!.close()
    expect(canWriteElsewhere()).toBe(false)
    connection.exec('ROLLBACK')
    expect(canWriteElsewhere()).toBe(true)
    expect(isOpen(synced[0]!)).toBe(false)
  })

  test('tells what the disk refuses', async () => {
    const early = openEarlySync(path, () => Promise.reject(new Error('EIO')))
    await expect(early!.sync()).rejects.toThrow('EIO')
    early!.close()
  })
})

test('there is none of a file that cannot be opened', () => {
  expect(openEarlySync(`${path}.none`)).toBeUndefined()
})
