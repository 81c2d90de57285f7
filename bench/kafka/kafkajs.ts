import { inBatches, Tally, timed } from '../load.ts'
import { peer } from '../peers.ts'
import type { Run } from '../row.ts'
import { messagesOf, type Cluster, type FilledTopic, type NamedTopic } from './cluster.ts'

/** The part of kafkajs that is used here. It is not among our packages, so neither are its types. */
interface KafkaJs {
  readonly Kafka: new (options: object) => {
    producer(options: object): {
      connect(): Promise<void>
      send(request: {
        readonly topic: string
        readonly acks: number
        readonly messages: readonly object[]
      }): Promise<unknown>
      disconnect(): Promise<void>
    }
    consumer(options: object): {
      connect(): Promise<void>
      subscribe(options: {
        readonly topics: readonly string[]
        readonly fromBeginning: boolean
      }): Promise<void>
      run(options: { readonly autoCommitInterval: number; eachMessage(): Promise<void> }): Promise<void>
      disconnect(): Promise<void>
    }
  }
  readonly logLevel: { readonly NOTHING: number }
  readonly Partitioners: { readonly DefaultPartitioner: unknown }
}

const version = '2.2.4'
const name = `kafkajs ${version}`

async function connect({
  brokers,
}: Cluster): Promise<{ readonly library: KafkaJs; readonly client: InstanceType<KafkaJs['Kafka']> }> {
  const library = await peer<KafkaJs>('kafkajs', version)
  const client = new library.Kafka({
    clientId: 'bench',
    brokers: [brokers],
    logLevel: library.logLevel.NOTHING,
  })
  return { library, client }
}

export const kafkajs = {
  async sending(
    cluster: Cluster,
    size: number,
  ): Promise<Readonly<Record<string, (topic: NamedTopic, count: number) => ReturnType<Run>>>> {
    const { library, client } = await connect(cluster)
    return {
      [name]: async (topic, count) => {
        const message = messagesOf(topic)
        const producer = client.producer({
          idempotent: true,
          createPartitioner: library.Partitioners.DefaultPartitioner,
        })
        await producer.connect()
        const spent = await timed(() =>
          inBatches(count, size, async (numbers) => {
            const messages = numbers.map(message).map(({ key, value, headers }) => ({
              key,
              value,
              headers: Object.fromEntries(
                [...(headers as Map<Buffer, Buffer>)].map(([k, v]) => [k.toString(), v]),
              ),
            }))
            await producer.send({ topic: topic.topic, acks: -1, messages })
          }),
        )
        await producer.disconnect()
        return { ...spent, events: await cluster.lengthOf(topic) }
      },
    }
  },

  async consuming(cluster: Cluster, filled: FilledTopic): Promise<Readonly<Record<string, Run>>> {
    const { client } = await connect(cluster)
    return {
      [name]: async (count) => {
        await filled.holds(count)
        const tally = new Tally(count)
        const consumer = client.consumer({
          groupId: cluster.name('group'),
          maxBytesPerPartition: 1024 * 1024,
        })
        await consumer.connect()
        await consumer.subscribe({ topics: [filled.topic.topic], fromBeginning: true })
        await consumer.run({ autoCommitInterval: 500, eachMessage: async () => tally.add() })
        const spent = await tally.all
        await consumer.disconnect()
        return spent
      },
    }
  },
}
