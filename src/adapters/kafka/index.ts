import type { Transport } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { KafkaTransport } from './kafka-transport.ts'
import type { KafkaOptions } from './options.ts'
import { optionsFromUrl } from './url.ts'

export type { KafkaOptions, KafkaSasl } from './options.ts'

/**
 * Apache Kafka 4 or newer. Needs the package `@platformatic/kafka`.
 * @throws MillraceError INVALID_OPTION. Whether the brokers answer shows at first use.
 * @example const app = millrace({ transport: kafka({ brokers: 'localhost:9092' }) })
 */
export function kafka(options: KafkaOptions): Transport<never> {
  const { brokers, partitions = 12, replicas = -1, clientId = 'millrace', sasl, tls = false } = options
  const list = typeof brokers === 'string' ? brokers.split(',') : [...(brokers ?? [])]
  if (list.length === 0 || !list.every(isAddress)) {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`brokers\` to be host:port, got ${JSON.stringify(brokers)}`,
    )
  }
  checkCount(partitions, 'partitions')
  if (replicas !== -1) checkCount(replicas, 'replicas')
  return new KafkaTransport({
    brokers: list,
    partitions,
    replicas,
    clientId,
    sasl,
    tls: tls === true ? {} : tls === false ? undefined : tls,
  })
}

/**
 * `kafka://localhost:9092`, `kafka://a:9092,b:9092?partitions=6&replicas=3&clientId=shop`; with a name and a password
 * SASL PLAIN, or `&mechanism=SCRAM-SHA-512`; `kafkas:` or `&tls=true` for TLS. What has a meaning in URLs (`%`, `/`, `?`, `#`)
 * is percent-encoded in name and password.
 * @throws MillraceError INVALID_OPTION
 */
export function kafkaFromUrl(url: string): Transport<never> {
  return kafka(optionsFromUrl(url))
}

function isAddress(broker: unknown): boolean {
  return typeof broker === 'string' && /^(?:[^\s:,/]+|\[[0-9a-f:.]+\]):\d{1,5}$/i.test(broker)
}

function checkCount(count: number, name: string): void {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`${name}\` to be a whole number from 1, got ${String(count)}`,
    )
  }
}
