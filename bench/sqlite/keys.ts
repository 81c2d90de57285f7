import { sqlite } from '../../src/adapters/sqlite/index.ts'
import type { Session } from '../../src/contract/transport.ts'
import type { QueueOptions } from '../../src/index.ts'
import { appOn } from '../app.ts'
import { customerOf, Tally } from '../load.ts'
import type { RateRow, Run, Work } from '../row.ts'
import { describe, makeFile, type BenchFile } from './file.ts'
import { fill, OurTables } from './raw.ts'
import { openSession } from './session.ts'

/*
 * What order by key costs when many events stand behind others of their keys.
 */

const nothing = { async [Symbol.asyncDispose]() {} }
const byKey: QueueOptions = { order: { by: 'key' } }

async function consumed({ path }: BenchFile, count: number, options: QueueOptions): Promise<Work> {
  const tally = new Tally(count)
  await using app = appOn(sqlite(path), () => tally.add(), options)
  await app.start()
  return await tally.all
}

/** Every second waiting event is of one key, whose first event somebody else holds. The others are consumed. */
const besideHotKey =
  (options: QueueOptions): Run =>
  async (count) => {
    await using file = await makeFile(options)
    using tables = new OurTables(file)
    fill(tables, 2 * count, { keyOf: (n) => (n % 2 === 0 ? 'hot' : customerOf(n)) })
    await using other = sqlite(file.path)
    const session = await openSession(other, options)
    await session.exchange({ settle: [], max: 1 })
    return await consumed(file, count, options)
  }

const hotKey: RateRow = {
  kind: 'rate',
  name: 'sqlite.hot-key',
  about: 'consume by key while half of the backlog is of one key that another session holds',
  baseline: 'the same backlog without order',
  bar: 0.5,
  async open() {
    await using file = await makeFile(byKey)
    return {
      settings: { ...describe(file), concurrency: 16, keys: 10_000 },
      raw: besideHotKey({}),
      ours: besideHotKey(byKey),
      ...nothing,
    }
  },
}

const parkedKeys = 1_000
const longWait = 60 * 60_000

/** The first event of each of so many keys has failed and waits; nothing else is in the file. */
async function park(session: Session, tables: OurTables): Promise<void> {
  fill(tables, parkedKeys, { keyOf: parkedKeyOf })
  for (let parked = 0; parked < parkedKeys;) {
    const { received } = await session.exchange({ settle: [], max: session.claim })
    await session.settle(received.map((of) => ({ of, as: 'retry', delay: longWait, park: true })))
    parked += received.length
  }
}

function parkedKeyOf(n: number): string {
  return `parked-${String(n % parkedKeys).padStart(5, '0')}`
}

/**
 * Consumes what is free. For each such event there is one of a parked key: `among` the free ones, as they come in, or
 * `before` them, where claims have found and set them aside before anything is measured.
 */
const besideParked =
  (where: 'nowhere' | 'among' | 'before'): Run =>
  async (count) => {
    await using file = await makeFile(byKey)
    using tables = new OurTables(file)
    await using other = sqlite(file.path)
    const session = await openSession(other, byKey)
    if (where !== 'nowhere') await park(session, tables)
    if (where === 'among') {
      const keyOf = (n: number): string => (n % 2 === 0 ? parkedKeyOf(n / 2) : customerOf(n))
      fill(tables, 2 * count, { keyOf })
    } else {
      if (where === 'before') {
        fill(tables, count, { keyOf: parkedKeyOf })
        for (let n = 0; n < count; n += session.claim)
          await session.exchange({ settle: [], max: session.claim })
      }
      fill(tables, count)
    }
    return await consumed(file, count, byKey)
  }

const parked: RateRow = {
  kind: 'rate',
  name: 'sqlite.parked-keys',
  about: `consume by key while ${parkedKeys} keys wait for a retry, with as many events behind them as are consumed`,
  baseline: 'the same without those keys',
  async open() {
    await using file = await makeFile(byKey)
    return {
      settings: { ...describe(file), concurrency: 16, keys: 10_000, 'parked keys': parkedKeys },
      raw: besideParked('nowhere'),
      ours: besideParked('among'),
      beside: { 'found before': besideParked('before') },
      ...nothing,
    }
  },
}

export const keyRows: readonly RateRow[] = [hotKey, parked]
