import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { appOn, type } from '../app.ts'
import { customerOf, order } from '../load.ts'
import { makeFile, type BenchFile } from './file.ts'
import { OurTables } from './raw.ts'
import { openSession } from './session.ts'

/** The raw loop repeats what our adapter does to its tables. If it did less, it would be faster for nothing. */

type Rows = readonly Readonly<Record<string, unknown>>[]

async function emptyFile(): Promise<BenchFile> {
  const file = await makeFile()
  onTestFinished(() => file[Symbol.asyncDispose]())
  return file
}

/** What differs from one event to the next is left out. */
function rowsOf({ path }: BenchFile, table: 'events' | 'ready' | 'held'): Rows {
  const connection = new DatabaseSync(path)
  const rows = connection.prepare(`SELECT * FROM ${table}`).all()
  connection.close()
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row)
        .filter(([name]) => !['id', 'taken', 'holder', 'claim', 'lease'].includes(name))
        .map(([name, value]) => [name, name === 'head' ? withoutTime(value as string) : value]),
    ),
  )
}

function withoutTime(head: string): string {
  return head.replace(/(?<="time":)\d{13}/, 'now')
}

async function publishWithOurs({ path }: BenchFile): Promise<void> {
  await using app = appOn(sqlite(path), () => {})
  await app.publish(type, order(0), { key: customerOf(0) })
}

test('raw writes the rows that a publish writes', async () => {
  const [ofRaw, ofOurs] = [await emptyFile(), await emptyFile()]
  using tables = new OurTables(ofRaw)
  tables.put(0, 1)
  await publishWithOurs(ofOurs)
  for (const table of ['events', 'ready'] as const) {
    const rows = rowsOf(ofOurs, table)
    expect(rows).toHaveLength(1)
    expect(rowsOf(ofRaw, table)).toEqual(rows)
  }
})

test('raw claims as a session claims, and removes what a session removes', async () => {
  const [ofRaw, ofOurs] = [await emptyFile(), await emptyFile()]
  using tables = new OurTables(ofRaw)
  tables.put(0, 1)
  await publishWithOurs(ofOurs)
  await using transport = sqlite(ofOurs.path)
  const session = await openSession(transport)

  tables.take(1)
  const { received } = await session.exchange({ settle: [], max: 1 })
  const held = rowsOf(ofOurs, 'held')
  expect(held).toHaveLength(1)
  expect(rowsOf(ofRaw, 'held')).toEqual(held)
  for (const table of ['events', 'ready'] as const)
    expect(rowsOf(ofRaw, table)).toEqual(rowsOf(ofOurs, table))

  tables.take(1)
  await session.exchange({ settle: received.map((of) => ({ of, as: 'ack' })), max: 1 })
  for (const file of [ofRaw, ofOurs]) {
    expect(rowsOf(file, 'held')).toEqual([])
    expect(rowsOf(file, 'events')).toEqual([])
  }
})
