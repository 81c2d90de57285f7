import { systemClock, type Clock } from '../../../clock/clock.ts'
import { readBrokerSettings, type BrokerSettings } from './broker-settings.ts'
import { Client, type ClientOptions } from './client.ts'
import { Producing } from '../producing/producing.ts'
import { Reader } from '../records/reader.ts'
import { Registry } from '../queues/registry.ts'
import { Topics } from '../queues/topics.ts'

export interface ClusterOptions extends ClientOptions {
  readonly partitions: number
  readonly replicas: number
}

/** A connected cluster: what all parts of one transport share. */
export interface Cluster {
  readonly client: Client
  readonly settings: BrokerSettings
  readonly topics: Topics
  readonly reader: Reader
  readonly producing: Producing
  readonly registry: Registry
  readonly clock: Clock
  close(): Promise<void>
}

/**
 * @param strange called with the offset of the first record among the queues that says nothing about one
 * @throws MillraceError MISSING_PEER, TRANSPORT_UNREACHABLE
 */
export async function openCluster(
  options: ClusterOptions,
  strange: (offset: number) => void,
): Promise<Cluster> {
  const client = await Client.open(options)
  const settings = await settingsOf(client)
  const topics = new Topics(client, {
    partitions: options.partitions,
    replicas: options.replicas,
    maxBytes: settings.maxBytes,
  })
  const reader = new Reader(client)
  const producing = new Producing(client, topics)
  return {
    client,
    settings,
    topics,
    reader,
    producing,
    registry: new Registry(reader, producing, topics, strange),
    clock: systemClock,
    async close() {
      await Promise.all([client.close(), reader.close()])
    },
  }
}

async function settingsOf(client: Client): Promise<BrokerSettings> {
  try {
    return await readBrokerSettings(client)
  } catch (error) {
    await client.close()
    throw error
  }
}
