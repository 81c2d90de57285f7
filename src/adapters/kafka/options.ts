/*
 * Apart from the client, so that its types are no business of those who only read ours.
 */

export interface KafkaOptions {
  /** `host:port` of some brokers; the others are found through them. */
  brokers: string | readonly string[]
  /** Partitions of the topics that are made. Default 12: so many processes can share a queue. */
  partitions?: number
  /** How many brokers keep each of them. Default: as the broker says (`default.replication.factor`). */
  replicas?: number
  /** The name that the broker's logs show. Default `millrace`. */
  clientId?: string
  sasl?: KafkaSasl
  /** true, or options of node:tls. */
  tls?: boolean | Readonly<Record<string, unknown>>
}

/** How to log in. */
export interface KafkaSasl {
  mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'
  username?: string
  password?: string
  /** For OAUTHBEARER. */
  token?: string
}
