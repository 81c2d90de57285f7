import type { DeadLetterRecord, FailureTrail } from '../../../contract/dead-letter.ts'
import { messageOf, MillraceError } from '../../../errors/millrace-error.ts'
import { attributeNames, wireNames } from '../../../event/names.ts'
import type { EventHead } from '../../../event/event.ts'
import type { Outgoing } from '../../../event/outgoing.ts'
import { isDeadLetterRecord, isOffset, isTrail, jsonIn } from './stored-json.ts'

/*
 * An event as a Kafka record: the binary mode of the CloudEvents binding. One header for each attribute, `ce_` before its
 * name; the data is the value; the key of the event is the key of the record. Headers `mr_` are ours.
 */

export type Headers = readonly (readonly [Buffer | null, Buffer | null])[]

/** What this driver keeps with an event that it moves. */
export interface MoveNote {
  readonly attempt: number
  /** Milliseconds since 1970; undefined: at once. */
  readonly due: number | undefined
  readonly trail: FailureTrail | undefined
}

const names = {
  specversion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  subject: 'ce_subject',
  key: `ce_${wireNames.key}`,
  topic: `ce_${wireNames.topic}`,
  deliverAt: `ce_${wireNames.deliverAt}`,
  correlationId: `ce_${wireNames.correlationId}`,
  causationId: `ce_${wireNames.causationId}`,
  contentType: 'content-type',
  /** Which extensions are numbers or booleans: in headers everything is text. */
  types: 'mr_types',
  attempt: 'mr_attempt',
  due: 'mr_due',
  trail: 'mr_trail',
  record: 'mr_record',
  partition: 'mr_partition',
} as const

type Name = keyof typeof names

const keys = Object.fromEntries(
  Object.entries(names).map(([name, text]) => [name, Buffer.from(text)]),
) as Record<Name, Buffer>
const version = Buffer.from('1.0')
/** What a move leaves behind, to be said anew. */
const moveNames: ReadonlySet<string> = new Set([
  names.attempt,
  names.due,
  names.trail,
  names.record,
  names.partition,
])

/** The headers of an event that is published. Its topic is the topic's name. */
export function headersOf({ id, type, head }: Pick<Outgoing, 'id' | 'type' | 'head'>): Map<Buffer, Buffer> {
  const headers = new Map([[keys.specversion, version]])
  const add = (name: Name, value: string | undefined): void => {
    if (value !== undefined) headers.set(keys[name], Buffer.from(value))
  }
  add('id', id)
  add('type', type)
  add('source', head.source)
  add('time', new Date(head.time).toISOString())
  add('subject', head.subject)
  if (head.deliverAt !== undefined) add('deliverAt', new Date(head.deliverAt).toISOString())
  add('correlationId', head.correlationId)
  add('causationId', head.causationId)
  add('contentType', head.contentType)
  const types: Record<string, string> = {}
  for (const name in head.extensions) {
    const value = head.extensions[name]
    headers.set(Buffer.from(`ce_${name}`), Buffer.from(String(value)))
    if (typeof value !== 'string') types[name] = typeof value
  }
  if (Object.keys(types).length > 0) add('types', JSON.stringify(types))
  return headers
}

/** The same, for an event that goes into a topic of a queue. */
export function movedHeaders(
  event: Pick<Outgoing, 'id' | 'type' | 'head'>,
  partition: number,
  note: MoveNote | { readonly record: string },
): Map<Buffer, Buffer> {
  const headers = headersOf(event).set(keys.topic, Buffer.from(event.head.topic))
  return withNote(headers.set(keys.partition, Buffer.from(String(partition))), note)
}

/** The headers of a record that is moved on as it is; `own` are those it must have, if somebody else made it without them. */
export function carriedHeaders(
  headers: Headers,
  own: Readonly<Record<'id' | 'type' | 'source' | 'topic', string>> & {
    readonly key: string | undefined
    readonly time: number
    readonly partition: number
  },
  note: MoveNote | { readonly record: string },
): Map<Buffer, Buffer> {
  const carried = new Map<Buffer, Buffer>()
  for (const [key, value] of headers) {
    if (key !== null && value !== null && !moveNames.has(key.toString())) carried.set(key, value)
  }
  const add = (name: Name, value: string): void => {
    if (find(headers, name) === undefined) carried.set(keys[name], Buffer.from(value))
  }
  add('id', own.id)
  add('type', own.type)
  add('source', own.source)
  add('time', new Date(own.time).toISOString())
  add('topic', own.topic)
  carried.set(keys.partition, Buffer.from(String(own.partition)))
  // The key of the record may be another one where it goes.
  if (own.key !== undefined) add('key', own.key)
  return withNote(carried, note)
}

function withNote(
  headers: Map<Buffer, Buffer>,
  note: MoveNote | { readonly record: string },
): Map<Buffer, Buffer> {
  if ('record' in note) return headers.set(keys.record, Buffer.from(note.record))
  headers.set(keys.attempt, Buffer.from(String(note.attempt)))
  if (note.due !== undefined) headers.set(keys.due, Buffer.from(String(note.due)))
  if (note.trail !== undefined) headers.set(keys.trail, Buffer.from(JSON.stringify(note.trail)))
  return headers
}

/** The text of one header; undefined if there is none. */
export function find(headers: Headers, name: Name): string | undefined {
  const wanted = keys[name]
  for (const [key, value] of headers) {
    // Length and fifth letter tell nearly all names apart, far sooner than a comparison of buffers does.
    if (key?.length !== wanted.length || key[4] !== wanted[4] || value === null) continue
    if (key.equals(wanted)) return value.toString()
  }
  return undefined
}

/** The partition that a moved event was published to; undefined if that is not said. */
export function partitionIn(headers: Headers): number | undefined {
  const partition = Number(find(headers, 'partition') ?? NaN)
  return isOffset(partition) ? partition : undefined
}

/** When an event may be handed out, in milliseconds since 1970; 0: at once. */
export function dateOf(headers: Headers): number {
  const text = find(headers, 'deliverAt')
  const time = text === undefined ? 0 : Date.parse(text)
  // What is no date is shown when the head is decoded.
  return Number.isNaN(time) ? 0 : time
}

/** What was left with an event that this driver has moved. What is damaged counts as not there. */
export function noteOf(headers: Headers): MoveNote {
  const attempt = Number(find(headers, 'attempt') ?? NaN)
  const due = Number(find(headers, 'due') ?? NaN)
  const trail = jsonIn(find(headers, 'trail') ?? '')
  return {
    attempt: Number.isSafeInteger(attempt) && attempt >= 1 ? attempt : 1,
    due: Number.isFinite(due) ? due : undefined,
    trail: isTrail(trail) ? trail : undefined,
  }
}

/** Why an event is a dead letter. `at`: when its record was written, for a record that does not say it. */
export function recordOf(headers: Headers, at: number): DeadLetterRecord {
  const record = jsonIn(find(headers, 'record') ?? '')
  if (isDeadLetterRecord(record)) return record
  const message = 'The header mr_record of this dead letter is missing or damaged: why it died is not known'
  const error = { name: 'MillraceError', message, code: 'DECODE_FAILED' }
  return { error, attempts: 0, firstFailedAt: at, deadAt: at, history: [] }
}

/**
 * The other attributes. What another system has published without some of them gets them from `place`.
 * @throws MillraceError DECODE_FAILED
 */
export function headFrom(
  headers: Headers,
  place: { readonly topic: string; readonly timestamp: number },
): EventHead {
  const time = find(headers, 'time')
  const extensions = extensionsFrom(headers)
  return {
    source: find(headers, 'source') ?? `kafka:${place.topic}`,
    topic: find(headers, 'topic') ?? place.topic,
    time: time === undefined ? place.timestamp : date(time, 'time'),
    subject: find(headers, 'subject'),
    deliverAt: deliverAtOf(headers),
    correlationId: find(headers, 'correlationId'),
    causationId: find(headers, 'causationId'),
    contentType: find(headers, 'contentType'),
    extensions,
  }
}

function deliverAtOf(headers: Headers): number | undefined {
  const text = find(headers, 'deliverAt')
  return text === undefined ? undefined : date(text, wireNames.deliverAt)
}

function date(text: string, name: string): number {
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw new MillraceError('DECODE_FAILED', `The header ce_${name} is no date`)
}

const extensionShape = /^[a-z0-9]+$/

function extensionsFrom(headers: Headers): EventHead['extensions'] {
  let found: Record<string, string | number | boolean> | undefined
  for (const [key, value] of headers) {
    // Nearly all are attributes, whose names are longer to read than to recognise by their first bytes.
    if (key === null || value === null || key[0] !== 0x63 || key[1] !== 0x65 || key[2] !== 0x5f) continue
    const name = key.toString('utf8', 3)
    if (attributeNames.has(name) || !extensionShape.test(name)) continue
    found ??= {}
    found[name] = value.toString()
  }
  const types = found === undefined ? undefined : find(headers, 'types')
  if (found === undefined || types === undefined) return found
  for (const [name, type] of Object.entries(parseTypes(types))) {
    const text = found[name]
    if (text !== undefined) found[name] = type === 'boolean' ? text === 'true' : Number(text)
  }
  return found
}

function parseTypes(text: string): object {
  try {
    return Object(JSON.parse(text)) as object
  } catch (cause) {
    throw new MillraceError('DECODE_FAILED', `The header mr_types is not JSON: ${messageOf(cause)}`, {
      cause,
    })
  }
}
