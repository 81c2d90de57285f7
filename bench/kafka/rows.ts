import { createEvent, type QueueOptions } from '../../src/index.ts'
import { appOn } from '../app.ts'
import { customerOf, inBatches, inFlight, order, Tally, timed } from '../load.ts'
import type { OpenOptions, RateRow, Run, Settings, Sides } from '../row.ts'
import { Cluster, clusterSettings, FilledTopic, messagesOf, type NamedTopic } from './cluster.ts'
import { kafkajs } from './kafkajs.ts'

const width = 256
const batch = 100

/** A window with a topic of its own, which is gone afterwards. */
function onTopic(cluster: Cluster, work: (topic: NamedTopic, count: number) => ReturnType<Run>): Run {
  return async (count) => {
    const topic = await cluster.makeTopic()
    try {
      return await work(topic, count)
    } finally {
      await cluster.removeTopic(topic)
    }
  }
}

const sending =
  (cluster: Cluster, size: number) =>
  async (topic: NamedTopic, count: number): ReturnType<Run> => {
    const message = messagesOf(topic)
    const producer = cluster.producer()
    await producer.send({ messages: [message(0)] })
    const spent = await timed(() =>
      inBatches(
        count,
        size,
        async (numbers) => void (await producer.send({ messages: numbers.map(message) })),
      ),
    )
    await producer.close()
    return { ...spent, events: (await cluster.lengthOf(topic)) - 1 }
  }

type Feed = (publish: (numbers: readonly number[]) => Promise<void>, count: number) => Promise<void>

const oneByOne: Feed = (publish, count) => inFlight(count, width, (n) => publish([n]))
const inArrays: Feed = (publish, count) => inBatches(count, batch, publish)

const publishing =
  (cluster: Cluster, feed: Feed) =>
  async (topic: NamedTopic, count: number): ReturnType<Run> => {
    const queue = cluster.name('queue')
    const { type } = topic
    const app = appOn(cluster.transport(), () => {}, {}, { queue, type })
    const publish = (numbers: readonly number[]): Promise<void> =>
      app.publish(numbers.map((n) => createEvent(type, order(n), { key: customerOf(n) })))
    await publish([0])
    const spent = await timed(() => feed(publish, count))
    await app.stop()
    await cluster.removeQueue(queue)
    return { ...spent, events: (await cluster.lengthOf(topic)) - 1 }
  }

const streaming =
  (cluster: Cluster, filled: FilledTopic): Run =>
  async (count) => {
    await filled.holds(count)
    const tally = new Tally(count)
    const end = await cluster.consume(filled.topic, () => tally.add())
    const spent = await tally.all
    await end()
    return spent
  }

const consuming =
  (cluster: Cluster, filled: FilledTopic, options: QueueOptions): Run =>
  async (count) => {
    await filled.holds(count)
    const tally = new Tally(count)
    const queue = cluster.name('queue')
    const app = appOn(
      cluster.transport(),
      () => tally.add(),
      { ...options, from: 'beginning' },
      { queue, type: filled.topic.type },
    )
    await app.start()
    const spent = await tally.all
    await app.stop()
    await cluster.removeQueue(queue)
    return spent
  }

interface Plan {
  readonly name: string
  readonly about: string
  readonly baseline: string
  readonly settings: Settings
  sides(cluster: Cluster, options: OpenOptions): Promise<Pick<Sides<Run>, 'raw' | 'ours' | 'beside'>>
}

function row({ sides, settings, ...plan }: Plan): RateRow {
  return {
    kind: 'rate',
    ...plan,
    name: `kafka.${plan.name}`,
    async open(options) {
      const cluster = await Cluster.connect()
      return {
        settings: { ...settings, ...clusterSettings, event: '1 KB of JSON and 5 headers' },
        ...(await sides(cluster, options)),
        [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
      }
    },
  }
}

const sender = 'the bare client @platformatic/kafka, the same records in requests of the same size'
const reader = "the client's stream with the same fetch size and commit interval, which only counts"

const consumeRow = (name: string, about: string, queue: QueueOptions): Plan => ({
  name,
  about,
  baseline: reader,
  settings: { concurrency: 16, keys: 10_000 },
  async sides(cluster, { peers }) {
    const filled = new FilledTopic(cluster, await cluster.makeTopic())
    return {
      raw: streaming(cluster, filled),
      ours: consuming(cluster, filled, queue),
      ...(peers && { beside: await kafkajs.consuming(cluster, filled) }),
    }
  },
})

const publishRow = (name: string, about: string, size: number, feed: Feed): Plan => ({
  name,
  about,
  baseline: sender,
  settings: { 'records per request': size },
  async sides(cluster, { peers }) {
    const others = peers ? await kafkajs.sending(cluster, size) : {}
    return {
      raw: onTopic(cluster, sending(cluster, size)),
      ours: onTopic(cluster, publishing(cluster, feed)),
      ...(peers && {
        beside: Object.fromEntries(
          Object.entries(others).map(([other, work]) => [other, onTopic(cluster, work)]),
        ),
      }),
    }
  },
})

export const kafkaRows: readonly RateRow[] = [
  row(publishRow('publish', `publish, ${width} in flight`, width, oneByOne)),
  row(publishRow('batch', `publish arrays of ${batch}, one after the other`, batch, inArrays)),
  row(consumeRow('consume', '2 middlewares, handler and acknowledgement of each event', {})),
  row(consumeRow('consume-by-key', 'the same with order by key', { order: { by: 'key' } })),
]
