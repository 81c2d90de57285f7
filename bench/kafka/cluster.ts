import { Admin, Consumer, ListOffsetTimestamps, Producer, type Message } from '@platformatic/kafka'
import { kafka } from '../../src/adapters/kafka/index.ts'
import { headersOf } from '../../src/adapters/kafka/records/headers.ts'
import { createEvent, type Transport } from '../../src/index.ts'
import { encodeEvent } from '../../src/event/outgoing.ts'
import { serverFor } from '../../test/servers/servers.ts'
import { customerOf, idOf, order } from '../load.ts'

const partitions = 12
const fetchBytes = 1024 * 1024
const commitEvery = 500

export const clusterSettings = {
  durable: 'acks=all, one replica, no fsync',
  partitions,
  'fetch per partition': '1 MiB',
  'commit every ms': commitEvery,
} as const

export interface NamedTopic {
  readonly topic: string
  readonly type: string
}

/** A broker, and the bare client on it. */
export class Cluster implements AsyncDisposable {
  readonly brokers: string
  readonly #admin: Admin
  #last = 0

  private constructor(brokers: string) {
    this.brokers = brokers
    this.#admin = new Admin({ clientId: 'bench', bootstrapBrokers: [brokers] })
  }

  /** The one that MILLRACE_TEST_KAFKA_URL names, else one that ends with this process. */
  static async connect(): Promise<Cluster> {
    const found = await serverFor('kafka')
    if ('missing' in found) throw new Error(`No Kafka to measure: ${found.missing}`)
    return new Cluster(new URL(found.url).host)
  }

  transport(): Transport {
    return kafka({ brokers: this.brokers, partitions })
  }

  producer(): Producer<Buffer, Buffer, Buffer, Buffer> {
    return new Producer({ clientId: 'bench', bootstrapBrokers: [this.brokers], idempotent: true })
  }

  /** A name that nobody has used. */
  name(what: string): string {
    return `bench-${what}-${Date.now().toString(36)}-${++this.#last}`
  }

  async makeTopic(): Promise<NamedTopic> {
    const topic = this.name('topic')
    await this.#admin.createTopics({ topics: [topic], partitions, replicas: 1 })
    return { topic, type: `${topic}.placed` }
  }

  /** How many records are in it. */
  async lengthOf({ topic }: NamedTopic): Promise<number> {
    const offsets = await this.#admin.listOffsets({
      topics: [
        {
          name: topic,
          partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
            partitionIndex,
            timestamp: ListOffsetTimestamps.LATEST,
          })),
        },
      ],
    })
    return offsets.flatMap((one) => one.partitions).reduce((total, { offset }) => total + Number(offset), 0)
  }

  async removeTopic({ topic }: NamedTopic): Promise<void> {
    await this.#admin.deleteTopics({ topics: [topic] })
  }

  /** What nobody consumes any more. An app takes its transport with it when it stops, so this needs one of its own. */
  async removeQueue(queue: string): Promise<void> {
    await using transport = this.transport()
    await transport.admin.removeQueue(queue)
  }

  /** The stream of a new group from the beginning, and how to end it. */
  async consume(
    { topic }: NamedTopic,
    seen: (message: Message<Buffer, Buffer, Buffer, Buffer>) => void,
  ): Promise<() => Promise<void>> {
    const consumer = new Consumer({
      clientId: 'bench',
      groupId: this.name('group'),
      bootstrapBrokers: [this.brokers],
    })
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'earliest',
      autocommit: commitEvery,
      maxBytesPerPartition: fetchBytes,
    })
    stream.on('data', seen)
    return async () => {
      await stream.close()
      await consumer.close(true)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.close()
  }
}

/** Messages as our adapter writes them: the same headers, key and value. */
export function messagesOf({
  topic,
  type,
}: NamedTopic): (
  n: number,
) => Parameters<Producer<Buffer, Buffer, Buffer, Buffer>['send']>[0]['messages'][number] {
  const event = encodeEvent(createEvent(type, order(0)))
  const constant = headersOf(event)
  const id = [...constant].find(([, value]) => value.toString() === event.id)?.[0] as Buffer
  return (n) => ({
    topic,
    key: Buffer.from(customerOf(n)),
    value: Buffer.from(JSON.stringify(order(n))),
    headers: new Map(constant).set(id, Buffer.from(idOf(n))),
  })
}

/** A topic that lies there, made longer when more is asked for. */
export class FilledTopic {
  readonly topic: NamedTopic
  readonly #cluster: Cluster
  #length = 0

  constructor(cluster: Cluster, topic: NamedTopic) {
    this.#cluster = cluster
    this.topic = topic
  }

  async holds(count: number): Promise<void> {
    const message = messagesOf(this.topic)
    const producer = this.#cluster.producer()
    for (; this.#length < count; this.#length += 1_000) {
      await producer.send({ messages: Array.from({ length: 1_000 }, (_, n) => message(this.#length + n)) })
    }
    await producer.close()
  }
}
