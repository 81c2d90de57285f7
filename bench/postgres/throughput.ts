import type { QueueOptions } from '../../src/index.ts'
import { appOn } from '../app.ts'
import { consume, inArrays, mustBeEmpty, oneByOne, type Feed } from '../feeds.ts'
import { inBatches, inFlight, timed } from '../load.ts'
import type { RateRow, Run, Settings, Work } from '../row.ts'
import { besidePeers, consumeAll, publishMany, publishOneByOne } from './peers.ts'
import { fill, MinimalTable, minimalTable, OurTables, type Hand, type RawQueue } from './raw.ts'
import { Server, type BenchSchema } from './schema.ts'

const width = 256
const batch = 200
/** Who publish arrays at the same time. */
const callers = 4
const claim = 128
/** Claims that overlap, in raw as in ours. */
const hands = 2

/** What is done with the events of one window. */
type RawWork = (queue: RawQueue, count: number) => Promise<Work>
type OurWork = (schema: BenchSchema, count: number) => Promise<Work>

const putting =
  (atOnce = 1): RawWork =>
  async (queue, count) => {
    const spent = await timed(() =>
      inBatches(count, batch, (numbers) => queue.put(numbers[0] ?? 0, numbers.length), atOnce),
    )
    return { ...spent, events: await queue.size() }
  }

/** For callers who wait for each of their events, as ours do: what they put in one turn is one statement. */
const puttingOneByOne: RawWork = async (queue, count) => {
  let waiting: { resolve(): void; reject(error: unknown): void }[] = []
  let put = 0
  const send = (): void => {
    const taken = waiting
    waiting = []
    const from = put
    put += taken.length
    queue.put(from, taken.length).then(
      () => taken.forEach(({ resolve }) => resolve()),
      (error: unknown) => taken.forEach(({ reject }) => reject(error)),
    )
  }
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (waiting.push({ resolve, reject }) === 1) setImmediate(send)
    })
  const spent = await timed(() => inFlight(count, width, one))
  return { ...spent, events: await queue.size() }
}

const taking: RawWork = async (queue, count) => {
  await fill(queue, count)
  let events = 0
  const spent = await timed(() =>
    Promise.all(
      Array.from({ length: hands }, async (_, n) => {
        const hand: Hand = { claim: n + 1, held: [] }
        for (let taken = 1; taken > 0; events += taken) taken = await queue.take(hand, claim)
      }),
    ),
  )
  await mustBeEmpty(queue)
  return { ...spent, events }
}

const publishing =
  (feed: Feed): OurWork =>
  async (schema, count) => {
    await using app = appOn(schema.server.transport(schema.name), () => {})
    await app.queues() // connects
    const spent = await timed(() => feed(app, count))
    return { ...spent, events: await new OurTables(schema).size() }
  }

const consuming =
  (options: QueueOptions): OurWork =>
  async (schema, count) => {
    const tables = new OurTables(schema)
    await fill(tables, count)
    return await consume(schema.server.transport(schema.name), tables, count, options)
  }

interface Plan {
  readonly name: string
  readonly about: string
  readonly bar: number
  readonly raw: RawWork
  readonly ours: OurWork
  readonly peers: Parameters<typeof besidePeers>[1]
  readonly settings: Settings
}

/** Each window has a schema of its own, made by our adapter whoever fills it. */
const inSchema =
  (server: Server, options: QueueOptions, work: (schema: BenchSchema, count: number) => Promise<Work>): Run =>
  async (count) => {
    await using schema = await server.makeSchema(options)
    return await work(schema, count)
  }

const event = '1 KB of JSON'

function row({ name, about, bar, raw, ours, peers, settings }: Plan): RateRow {
  return {
    kind: 'rate',
    name: `postgres.${name}`,
    about,
    bar,
    baseline: 'the bare client pg on our tables and indexes, coalescing, with the same records',
    async open(options) {
      const server = await Server.connect()
      return {
        settings: { ...settings, event, ...(await server.settings()), 'minimal table': minimalTable },
        raw: inSchema(server, {}, (schema, count) => raw(new OurTables(schema), count)),
        ours: inSchema(server, {}, ours),
        beside: {
          'minimal table': inSchema(server, {}, async (schema, count) =>
            raw(await MinimalTable.make(schema), count),
          ),
          ...(options.peers && besidePeers(server, peers)),
        },
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      }
    },
  }
}

const byKey: RateRow = {
  kind: 'rate',
  name: 'postgres.consume-by-key',
  about: 'the same with order by key, 10,000 keys',
  bar: 0.85,
  baseline: 'ours without order',
  async open() {
    const server = await Server.connect()
    const options: QueueOptions = { order: { by: 'key' } }
    return {
      settings: {
        'claim, one at a time': 256,
        'without order, two at a time': claim,
        concurrency: 16,
        keys: 10_000,
        event,
        ...(await server.settings()),
      },
      raw: inSchema(server, {}, consuming({})),
      ours: inSchema(server, options, consuming(options)),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
}

export const postgresThroughput: readonly RateRow[] = [
  row({
    name: 'publish',
    about: `publish, ${width} in flight`,
    bar: 0.9,
    raw: puttingOneByOne,
    ours: publishing(oneByOne(width)),
    peers: publishOneByOne(width),
    settings: { 'in flight': width },
  }),
  row({
    name: 'batch',
    about: `publish arrays of ${batch}, one after the other`,
    bar: 0.9,
    raw: putting(),
    ours: publishing(inArrays(batch)),
    peers: publishMany(batch),
    settings: { 'events per statement': batch },
  }),
  row({
    name: 'batches',
    about: `publish arrays of ${batch}, ${callers} at a time`,
    bar: 0.9,
    raw: putting(callers),
    ours: publishing(inArrays(batch, callers)),
    peers: publishMany(batch, callers),
    settings: { 'events per array': batch, 'arrays in flight': callers },
  }),
  row({
    name: 'consume',
    about: '2 middlewares, handler and acknowledgement of each event',
    bar: 0.85,
    raw: taking,
    ours: consuming({}),
    peers: consumeAll,
    settings: { claim, 'claims that overlap': hands, concurrency: 16 },
  }),
  byKey,
]
