import type { Transport } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { KafkaTransport } from './kafka-transport.ts'
import type { KafkaOptions, KafkaSasl } from './options.ts'

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
 * SASL PLAIN, or `&mechanism=SCRAM-SHA-512`; `kafkas:` or `&tls=true` for TLS.
 */
export function kafkaFromUrl(url: string): Transport<never> {
  const [, scheme, login, brokers, query] =
    /^(kafkas?):\/\/(?:([^@/]*)@)?([^/?]*)\/?(?:\?(.*))?$/i.exec(url) ?? []
  const parameters = new URLSearchParams(query)
  const unknown = [...parameters.keys()].find((name) => !known.has(name))
  if (brokers === undefined || unknown !== undefined) {
    const what = unknown === undefined ? 'Write kafka://host:9092' : `There is no parameter '${unknown}'`
    throw new MillraceError('INVALID_OPTION', `Not a URL of Kafka. ${what}`)
  }
  const count = (name: string): number | undefined => {
    const text = parameters.get(name)
    return text === null ? undefined : Number(text)
  }
  const [username, password] = (login ?? '').split(':').map(decodeURIComponent)
  const partitions = count('partitions')
  const replicas = count('replicas')
  const clientId = parameters.get('clientId')
  return kafka({
    brokers,
    tls: scheme?.toLowerCase() === 'kafkas' || parameters.get('tls') === 'true',
    ...(partitions !== undefined && { partitions }),
    ...(replicas !== undefined && { replicas }),
    ...(clientId !== null && { clientId }),
    ...(username &&
      password !== undefined && {
        sasl: { mechanism: mechanismOf(parameters.get('mechanism')), username, password },
      }),
  })
}

const known = new Set(['partitions', 'replicas', 'clientId', 'mechanism', 'tls'])

function mechanismOf(text: string | null): KafkaSasl['mechanism'] {
  if (text === null) return 'PLAIN'
  if (text === 'PLAIN' || text === 'SCRAM-SHA-256' || text === 'SCRAM-SHA-512') return text
  throw new MillraceError(
    'INVALID_OPTION',
    `Expected \`mechanism\` to be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, got '${text}'`,
  )
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
