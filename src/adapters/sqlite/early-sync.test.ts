import { fstatSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { earlySync, realSync } from './early-sync.ts'

let path: string

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-sync-'))
  path = join(folder, 'events.db')
  await writeFile(path, '')
  onTestFinished(() => rm(folder, { recursive: true }))
})

test.skipIf(process.platform === 'win32')(
  'syncs the file of a connection as long as it is open',
  async () => {
    const synced: number[] = []
    const connection = new DatabaseSync(path)
    connection.exec('CREATE TABLE t (n)')
    const sync = earlySync(path, async (descriptor) => {
      synced.push(fstatSync(descriptor).ino)
      await realSync(descriptor)
    })
    await sync()
    expect(synced).toEqual([statSync(path).ino])
    connection.close()
    await sync()
    expect(synced).toHaveLength(1)
  },
)

test('does nothing with a file that nobody has open', async () => {
  let synced = 0
  await earlySync(path, async () => void synced++)()
  expect(synced).toBe(0)
})

test('leaves it to SQLite to tell what the disk refuses', async () => {
  using connection = new DatabaseSync(path)
  connection.exec('CREATE TABLE t (n)')
  await expect(earlySync(path, () => Promise.reject(new Error('EIO')))()).resolves.toBeUndefined()
})
