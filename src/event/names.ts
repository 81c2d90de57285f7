import { MillraceError } from '../errors/millrace-error.ts'

/** How attributes that CloudEvents does not know by our name are called on the wire. */
export const wireNames = {
  key: 'partitionkey',
  topic: 'millracetopic',
  deliverAt: 'deliverat',
  correlationId: 'correlationid',
  causationId: 'causationid',
} as const

/** What no extension may be called: it would stand in the place of the attribute. `dataschema` travels as an extension. */
export const attributeNames: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'type',
  'source',
  'time',
  'subject',
  'datacontenttype',
  'data',
  'data_base64',
  ...Object.values(wireNames),
])

/** What every transport takes as a name: Kafka's alphabet, and short enough for a suffix such as `.retry.3600000`. */
const nameShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** Queues and topics of millrace itself begin with this. */
const ownPrefix = 'millrace.'

/** Whether the name is one that millrace keeps for itself. */
export function isReserved(name: string): boolean {
  return name.startsWith(ownPrefix)
}

/** @throws MillraceError INVALID_NAME */
export function checkName(name: string, kind: 'queue' | 'topic' | 'store' | 'locks'): string {
  if (typeof name === 'string' && nameShape.test(name)) {
    if (!isReserved(name)) return name
    throw new MillraceError(
      'INVALID_NAME',
      `The ${kind} '${name}' cannot be yours: millrace keeps names that begin with '${ownPrefix}'`,
    )
  }
  throw new MillraceError('INVALID_NAME', `Not a ${kind} name: ${JSON.stringify(name) ?? String(name)}`)
}

// Control characters and lone surrogates cannot travel in headers; `*` belongs to patterns.
// oxlint-disable-next-line no-control-regex
const typeShape = /^[^\u0000-\u001f\u007f*\s]{1,255}$/u

/** @throws MillraceError INVALID_EVENT */
export function checkType(type: string): string {
  if (typeof type === 'string' && typeShape.test(type) && type.isWellFormed()) return type
  throw new MillraceError('INVALID_EVENT', `Not an event type: ${JSON.stringify(type) ?? String(type)}`)
}

/** Top-level domains that begin reverse-DNS types. Country codes are left out: `de.invoice.sent` may well mean a topic `de`. */
const domains = new Set(['com', 'org', 'net', 'io', 'dev', 'app', 'edu', 'gov'])

/** Types are few, but nothing keeps a publisher from making up new ones: beyond so many what is remembered begins anew. */
const rememberedTypes = 1_000
const topics = new Map<string, string>()

/**
 * The topic of a type where nothing else was said: its first segment.
 * @throws MillraceError INVALID_EVENT; TOPIC_AMBIGUOUS for a reverse-DNS type: everything of one vendor would land in one topic `com`.
 */
export function defaultTopic(type: string): string {
  let topic = topics.get(type)
  if (topic === undefined) {
    topic = firstSegment(checkType(type))
    if (topics.size >= rememberedTypes) topics.clear()
    topics.set(type, topic)
  }
  return topic
}

function firstSegment(type: string): string {
  const dot = type.indexOf('.')
  if (dot === -1) return checkName(type, 'topic')
  const first = type.slice(0, dot)
  if (domains.has(first) && type.includes('.', dot + 1)) {
    throw new MillraceError('TOPIC_AMBIGUOUS', `No topic can be told from the type '${type}'`)
  }
  return checkName(first, 'topic')
}

/** `*`, a prefix that ends in `.*`, or a type. @throws MillraceError INVALID_PATTERN */
export function checkPattern(pattern: string): string {
  if (typeof pattern === 'string') {
    const body = pattern === '*' ? 'x' : pattern.endsWith('.*') ? pattern.slice(0, -2) : pattern
    if (typeShape.test(body)) return pattern
  }
  throw new MillraceError('INVALID_PATTERN', `Not a pattern: ${JSON.stringify(pattern) ?? String(pattern)}`)
}

/** Whether an event of this type belongs to the pattern. `order.*` is any type that begins with `order.` */
export function matches(pattern: string, type: string): boolean {
  if (pattern === '*') return true
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}
