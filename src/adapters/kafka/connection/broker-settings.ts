import type { Client } from './client.ts'
import { failure, says } from './failures.ts'

/** What a topic of Kafka takes if nobody says otherwise, in bytes. */
export const defaultMaxBytes = 1_048_588

/** A broker's entry in the list of kinds of things that have settings. */
const brokerResource = 4

export interface BrokerSettings {
  /** The largest batch of records, in bytes. */
  readonly maxBytes: number
  /** How many replicas have a record before it counts as written; undefined if the broker does not tell. */
  readonly minInSync: number | undefined
}

/** As one of the brokers has them. One that does not tell its settings to everybody is taken to have the usual ones. */
export async function readBrokerSettings({ admin }: Client): Promise<BrokerSettings> {
  const { brokers } = await admin.metadata({ topics: [] })
  const [id] = brokers.keys()
  try {
    const [described] = await admin.describeConfigs({
      resources: [
        {
          resourceType: brokerResource,
          resourceName: String(id),
          configurationKeys: ['message.max.bytes', 'min.insync.replicas'],
        },
      ],
    })
    const settings = new Map(described?.configs.map(({ name, value }) => [name, value]))
    const minInSync = settings.get('min.insync.replicas')
    return {
      maxBytes: Number(settings.get('message.max.bytes') ?? defaultMaxBytes),
      minInSync: minInSync == null ? undefined : Number(minInSync),
    }
  } catch (error) {
    if (says(error, 'CLUSTER_AUTHORIZATION_FAILED'))
      return { maxBytes: defaultMaxBytes, minInSync: undefined }
    throw failure(error, 'The settings of the brokers could not be read')
  }
}
