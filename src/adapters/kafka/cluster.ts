import { systemClock, type Clock } from '../../clock/clock.ts'
import { Client, type ClientOptions } from './client.ts'
import { Producing } from './producing.ts'
import { Reader } from './reader.ts'
import { Registry } from './registry.ts'
import { Topics } from './topics.ts'

export interface ClusterOptions extends ClientOptions {
  readonly partitions: number
  readonly replicas: number
}

/** What a topic of Kafka takes if nobody says otherwise, in bytes. */
export const defaultMaxBytes = 1_048_588

/** A connected cluster: what all parts of one transport share. */
export interface Cluster {
  readonly client: Client
  readonly topics: Topics
  readonly reader: Reader
  readonly producing: Producing
  readonly registry: Registry
  readonly clock: Clock
  close(): Promise<void>
}

/** @throws MillraceError MISSING_PEER, TRANSPORT_UNREACHABLE */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const client = await Client.open(options)
  const topics = new Topics(client, {
    partitions: options.partitions,
    replicas: options.replicas,
    maxBytes: defaultMaxBytes,
  })
  const reader = new Reader(client)
  const producing = new Producing(client, topics)
  return {
    client,
    topics,
    reader,
    producing,
    registry: new Registry(reader, producing, topics),
    clock: systemClock,
    async close() {
      await Promise.all([client.close(), reader.close()])
    },
  }
}
