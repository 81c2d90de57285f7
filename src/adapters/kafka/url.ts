import { MillraceError } from '../../errors/millrace-error.ts'
import type { KafkaOptions, KafkaSasl } from './options.ts'

const known = new Set(['partitions', 'replicas', 'clientId', 'mechanism', 'tls'])
const mechanisms: readonly string[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']

/** No message shows any part of the URL that may be one of the password. @throws MillraceError INVALID_OPTION */
export function optionsFromUrl(url: string): KafkaOptions {
  const [, scheme, authority, query] = /^(kafkas?):\/\/([^/?#]*)\/?(?:\?([^#]*))?$/i.exec(url) ?? []
  const parameters = new URLSearchParams(query)
  const unknown = [...parameters.keys()].find((name) => !known.has(name))
  // What is no name at all may be the rest of a password with a `?` in it.
  if (authority === undefined || (unknown !== undefined && !/^\w*$/.test(unknown))) {
    throw invalid('Write kafka://host:9092, and what has a meaning in URLs percent-encoded')
  }
  if (unknown !== undefined) throw invalid(`There is no parameter '${unknown}'`)
  const at = authority.lastIndexOf('@')
  const partitions = parameters.get('partitions')
  const replicas = parameters.get('replicas')
  const clientId = parameters.get('clientId')
  return {
    brokers: authority.slice(at + 1),
    tls: tlsOf(scheme, parameters.get('tls')),
    ...(partitions !== null && { partitions: Number(partitions) }),
    ...(replicas !== null && { replicas: Number(replicas) }),
    ...(clientId !== null && { clientId }),
    ...(at !== -1 && { sasl: saslOf(authority.slice(0, at), parameters.get('mechanism')) }),
  }
}

function saslOf(login: string, mechanism: string | null): KafkaSasl {
  const colon = login.indexOf(':')
  if (colon < 1) throw invalid('Before the @ stand a name and a password: user:password@host:9092')
  return {
    mechanism: mechanismOf(mechanism),
    username: decoded(login.slice(0, colon)),
    password: decoded(login.slice(colon + 1)),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw invalid('Name and password are not percent-encoded correctly; write % as %25', cause)
  }
}

function mechanismOf(text: string | null): KafkaSasl['mechanism'] {
  if (text === null) return 'PLAIN'
  if (mechanisms.includes(text)) return text as KafkaSasl['mechanism']
  throw invalid(`Expected \`mechanism\` to be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, got '${text}'`)
}

function tlsOf(scheme: string | undefined, text: string | null): boolean {
  if (text !== null && text !== 'true' && text !== 'false') {
    throw invalid(`Expected \`tls\` to be true or false, got '${text}'`)
  }
  return scheme?.toLowerCase() === 'kafkas' || text === 'true'
}

function invalid(why: string, cause?: unknown): MillraceError {
  return new MillraceError('INVALID_OPTION', `Not a URL of Kafka. ${why}`, { cause })
}
