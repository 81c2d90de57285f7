import { sqlite } from '../../src/adapters/sqlite/index.ts'
import type { QueueOptions } from '../../src/index.ts'
import { appOn } from '../app.ts'
import { consume, inArrays, mustBeEmpty, oneByOne, type Feed } from '../feeds.ts'
import { inBatches, inFlight, timed } from '../load.ts'
import type { RateRow, Run, Settings, Work } from '../row.ts'
import { describe, makeFile, type BenchFile } from './file.ts'
import { fill, MinimalTable, minimalTables, OurTables, type RawQueue } from './raw.ts'

const width = 256
const batch = 100
const claim = 128

/** What is done with the events of one window. */
type RawWork = (queue: RawQueue, count: number) => Promise<Work>
type OurWork = (file: BenchFile, count: number) => Promise<Work>

const putting =
  (size: number): RawWork =>
  async (queue, count) => {
    const spent = await timed(() =>
      inBatches(count, size, async (numbers) => queue.put(numbers[0] ?? 0, numbers.length)),
    )
    return { ...spent, events: queue.size() }
  }

/** For callers who wait for each of their events, as ours do: what they put in one turn is one transaction. */
const puttingOneByOne: RawWork = async (queue, count) => {
  const waiting: (() => void)[] = []
  let put = 0
  const commit = (): void => {
    const taken = waiting.splice(0)
    queue.put(put, taken.length)
    put += taken.length
    for (const resolve of taken) resolve()
  }
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(commit)
    })
  const spent = await timed(() => inFlight(count, width, one))
  return { ...spent, events: queue.size() }
}

const taking: RawWork = async (queue, count) => {
  fill(queue, count)
  let events = 0
  const spent = await timed(async () => {
    for (let taken = 1; taken > 0; events += taken) taken = queue.take(claim).length
  })
  await mustBeEmpty(queue)
  return { ...spent, events }
}

const publishing =
  (feed: Feed): OurWork =>
  async (file, count) => {
    await using app = appOn(sqlite(file.path), () => {})
    const spent = await timed(() => feed(app, count))
    using tables = new OurTables(file)
    return { ...spent, events: tables.size() }
  }

const consuming =
  (options: QueueOptions): OurWork =>
  async (file, count) => {
    using tables = new OurTables(file)
    fill(tables, count)
    return await consume(sqlite(file.path), tables, count, options)
  }

interface Plan {
  readonly name: string
  readonly about: string
  readonly bar: number
  readonly raw: RawWork
  readonly ours: OurWork
  readonly options?: QueueOptions
  readonly settings: Settings
  /** Ours goes ahead of the disk, so a loop that never waits for it is shown, too. */
  readonly goesAhead?: boolean
}

const normal = 1

/** Each window has a file of its own, made by our adapter whoever fills it. */
function row({ name, about, bar, raw, ours, options = {}, settings, goesAhead = false }: Plan): RateRow {
  const onFile =
    (work: (file: BenchFile, count: number) => Promise<Work>): Run =>
    async (count) => {
      await using file = await makeFile(options)
      return await work(file, count)
    }
  return {
    kind: 'rate',
    name: `sqlite.${name}`,
    about,
    bar,
    baseline: 'a bare node:sqlite loop on our tables and indexes, with the same records',
    async open() {
      await using file = await makeFile(options)
      return {
        settings: { ...settings, ...describe(file), 'minimal table': minimalTables },
        raw: onFile(async (own, count) => {
          using tables = new OurTables(own)
          return await raw(tables, count)
        }),
        ours: onFile(ours),
        beside: {
          'minimal table': onFile(async (own, count) => {
            using table = new MinimalTable(own)
            return await raw(table, count)
          }),
          ...(goesAhead && {
            'the same loop, never synced': onFile(async (own, count) => {
              using tables = new OurTables({ ...own, pragmas: { ...own.pragmas, synchronous: normal } })
              return await raw(tables, count)
            }),
          }),
        },
        async [Symbol.asyncDispose]() {},
      }
    },
  }
}

const settledAhead = 'by the loop after each sync, by ours up to 8 exchanges ahead of it'
const byKey: QueueOptions = { order: { by: 'key' } }

export const throughputRows: readonly RateRow[] = [
  row({
    name: 'publish',
    about: `publish, ${width} in flight`,
    bar: 0.95,
    raw: puttingOneByOne,
    ours: publishing(oneByOne(width)),
    settings: {
      'in flight on both sides': width,
      'events per commit': `${width}; ours in two halves while the disk is slow`,
    },
  }),
  row({
    name: 'batch',
    about: `publish arrays of ${batch}, one after the other`,
    bar: 0.95,
    raw: putting(batch),
    ours: publishing(inArrays(batch)),
    settings: { 'events per commit': batch },
  }),
  row({
    name: 'consume',
    about: '2 middlewares, handler and acknowledgement of each event',
    bar: 0.85,
    raw: taking,
    ours: consuming({}),
    settings: { claim, concurrency: 16, settled: settledAhead },
    goesAhead: true,
  }),
  row({
    name: 'consume-by-key',
    about: 'the same with order by key, 10,000 keys',
    bar: 0.85,
    raw: taking,
    ours: consuming(byKey),
    options: byKey,
    settings: { claim, concurrency: 16, keys: 10_000, settled: settledAhead },
    goesAhead: true,
  }),
]
