import { Client } from 'pg'
import { appOn, type } from '../app.ts'
import { publishAndConsume } from '../feeds.ts'
import { order } from '../load.ts'
import { now, paced, stamped, type Stamped } from '../pace.ts'
import type { LatencyRow, QuantityRow, RateRow, Run, Sample } from '../row.ts'
import { OurTables, type Hand } from './raw.ts'
import { Server, type BenchSchema } from './schema.ts'

const pace = 200
/** The first events of a process pay for what is compiled and opened then. */
const warmUpSeconds = 0.5

/** Publishes at that pace; gives the latencies after the warm-up, when all have come. */
async function sampled(
  seconds: number,
  latencies: readonly number[],
  publish: () => void,
): Promise<readonly number[]> {
  const early = await paced(pace, warmUpSeconds, publish)
  const total = early + (await paced(pace, seconds, publish))
  while (latencies.length < total) await new Promise((resolve) => setImmediate(resolve))
  return latencies.slice(early)
}

const ourLatency =
  (server: Server): Sample =>
  async (seconds) => {
    await using schema = await server.makeSchema()
    const latencies: number[] = []
    const consumer = appOn(server.transport(schema.name), (event) =>
      latencies.push(now() - (event.data as Stamped).at),
    )
    await consumer.start()
    const publisher = appOn(server.transport(schema.name), () => {})
    const samples = await sampled(seconds, latencies, () => void publisher.publish(type, stamped()))
    await publisher.stop()
    await consumer.stop()
    return samples
  }

const rawLatency =
  (server: Server): Sample =>
  async (seconds) => {
    await using schema = await server.makeSchema()
    const tables = new OurTables(schema)
    const latencies: number[] = []
    const hand: Hand = { claim: 1, held: [] }
    let taking: Promise<void> | undefined
    let again = false
    const takeAll = async (): Promise<void> => {
      do {
        again = false
        for (let taken = 1; taken > 0;) {
          taken = await tables.take(hand, 128, (data) =>
            latencies.push(now() - (JSON.parse(data) as Stamped).at),
          )
        }
      } while (again)
      taking = undefined
    }
    const listener = new Client({ connectionString: server.url })
    await listener.connect()
    listener.on('notification', () => {
      again = true
      taking ??= takeAll()
    })
    await listener.query(`LISTEN ${schema.name}`)
    let n = 0
    const samples = await sampled(seconds, latencies, () => {
      void tables
        .put(n++, 1, stamped)
        .then(() =>
          server.pool.query({ name: 'notify', text: 'SELECT pg_notify($1, $2)', values: [schema.name, ''] }),
        )
    })
    await listener.end()
    await taking
    return samples
  }

const wakeUp: LatencyRow = {
  kind: 'latency',
  name: 'postgres.wake-up',
  about: `from publish to the handler over two transports of one process, at ${pace} events/s`,
  baseline: 'an insert and a NOTIFY on one connection, LISTEN on another, and a claim',
  async open() {
    const server = await Server.connect()
    return {
      settings: { ...(await server.settings()), 'events/s': pace },
      raw: rawLatency(server),
      ours: ourLatency(server),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
}

/** Publishes and consumes at the same time, in a schema that may have other things in it. */
const through =
  (schema: BenchSchema): Run =>
  (count) =>
    publishAndConsume(schema.server.transport(schema.name), 256, count)

const crowd = 10_000_000

const besideWaiting: RateRow = {
  kind: 'rate',
  name: 'postgres.beside-waiting',
  about: 'publish, 256 in flight, and consume, while ten million events wait in another queue of the table',
  baseline: 'the same without them',
  bar: 0.8,
  async open({ quick }) {
    const server = await Server.connect()
    const empty = await server.makeSchema()
    const crowded = await server.makeSchema()
    const waiting = quick ? 10_000 : crowd
    const { slot, head } = crowded.sample
    await server.pool.query(
      `INSERT INTO ${crowded.name}.messages (queue, slot, id, type, key, head, data)
       SELECT 1000, $1, 'waiting-' || n, $2, 'customer-' || n % 10000, $3, $4 FROM generate_series(1, $5::int) n`,
      [slot, type, head, JSON.stringify(order(0)), waiting],
    )
    await server.pool.query(`VACUUM ANALYZE ${crowded.name}.messages`)
    return {
      settings: { ...(await server.settings()), 'in flight': 256, waiting },
      raw: through(empty),
      ours: through(crowded),
      async [Symbol.asyncDispose]() {
        await empty[Symbol.asyncDispose]()
        await crowded[Symbol.asyncDispose]()
        await server[Symbol.asyncDispose]()
      },
    }
  },
}

const steady = 5_000
const minute = 60

interface Stretch {
  readonly perSecond: number
  readonly p99: number
}

/** Five minutes at a steady pace; gives how the last of them went. */
async function lastMinute(server: Server, open: boolean, minutes: number, seconds: number): Promise<Stretch> {
  await using schema = await server.makeSchema()
  const old = new Client({ connectionString: server.url })
  await old.connect()
  const app = appOn(server.transport(schema.name), (event) =>
    latencies.push(now() - (event.data as Stamped).at),
  )
  let latencies: number[] = []
  await app.start()
  if (open)
    await old.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ${schema.name}.messages`)
  let published = 0
  const publish = (): void => void app.publish(type, stamped()).then(() => published++)
  await paced(steady, (minutes - 1) * seconds, publish)
  latencies = []
  published = 0
  const began = performance.now()
  await paced(steady, seconds, publish)
  const handled = latencies.length
  const took = (performance.now() - began) / 1_000
  const sorted = latencies.toSorted((a, b) => a - b)
  await old.end()
  await app.stop()
  return { perSecond: handled / took, p99: sorted[Math.floor(sorted.length * 0.99)] ?? Infinity }
}

const openTransaction: QuantityRow = {
  kind: 'quantity',
  name: 'postgres.open-transaction',
  about: `the last of five minutes at ${steady} events/s, while a transaction is open all the time`,
  baseline: 'the same without it',
  async measure({ quick }) {
    await using server = await Server.connect()
    const [minutes, seconds] = quick ? [2, 1] : [5, minute]
    const without = await lastMinute(server, false, minutes, seconds)
    const beside = await lastMinute(server, true, minutes, seconds)
    return {
      settings: { ...(await server.settings()), 'events/s': steady },
      quantities: [
        { name: 'throughput without it', unit: 'events/s', value: without.perSecond },
        { name: 'throughput', unit: 'events/s', value: beside.perSecond, atLeast: 0.8 * without.perSecond },
        { name: 'p99 without it', unit: 'ms', value: without.p99 },
        { name: 'p99', unit: 'ms', value: beside.p99, atMost: 1.2 * without.p99 },
      ],
    }
  },
}

export const postgresComparisons = [wakeUp, besideWaiting, openTransaction] as const
