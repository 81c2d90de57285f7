import { MillraceError, messageOf } from '../errors/millrace-error.ts'
import { checkDate, checkExtensions, checkText, type ExtensionValue } from './attributes.ts'
import { EventRecord, type EventHead, type MillraceEvent } from './event.ts'
import { rawElements, rawMember } from './json-member.ts'
import { attributeNames, checkName, checkType, defaultTopic, wireNames } from './names.ts'
import { encodeEvent, type Outgoing } from './outgoing.ts'
import { bytesOf, isJson, Payload, textOf, type Raw } from './payload.ts'

/*
 * CloudEvents 1.0.2, JSON format (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
 * partitionkey is the "Partitioning" extension of the same repository; the others are ours.
 */

/** What a decoder needs to know of the app that receives: how topics are told from types that carry none. */
export interface DecodeOptions {
  readonly topicOf?: (type: string) => string
}

/** One event in the JSON format. JSON data stands in it untouched. @throws MillraceError as encodeEvent */
export function toCloudEventJson(event: MillraceEvent): string {
  const outgoing = encodeEvent(event)
  const { data, head } = outgoing
  const datacontenttype = head.contentType ?? (data.length === 0 ? undefined : 'application/json')
  const attributes = JSON.stringify({ ...attributesOf(outgoing), datacontenttype })
  return `${attributes.slice(0, -1)}${dataMember(data, head.contentType)}}`
}

/** @throws MillraceError DECODE_FAILED, INVALID_EVENT, INVALID_NAME, TOPIC_AMBIGUOUS */
export function fromCloudEventJson(raw: Raw, options: DecodeOptions = {}): MillraceEvent {
  const text = textOf(raw)
  return fromObject(parse(text), text, options)
}

/** A batch: a JSON array of events. @throws MillraceError as fromCloudEventJson */
export function fromCloudEventBatch(raw: Raw, options: DecodeOptions = {}): readonly MillraceEvent[] {
  const text = textOf(raw)
  const list = parse(text)
  if (!Array.isArray(list)) throw new MillraceError('DECODE_FAILED', 'A CloudEvents batch is a JSON array')
  return rawElements(text).map((element, i) => fromObject(list[i], element, options))
}

/** Binary mode: attributes by their wire names, the body as data. @throws MillraceError as fromCloudEventJson */
export function fromCloudEventAttributes(
  attributes: Readonly<Record<string, string>>,
  contentType: string | undefined,
  body: Raw,
  options: DecodeOptions = {},
): MillraceEvent {
  return fromAttributes(attributes, payloadFrom(body, contentType), options)
}

/** The attributes of an event in binary mode, by their wire names, and its content type and body. */
export function toCloudEventAttributes(event: MillraceEvent): {
  attributes: Record<string, string>
  contentType: string
  body: Raw
} {
  const outgoing = encodeEvent(event)
  const attributes: Record<string, string> = {}
  for (const [name, value] of Object.entries(attributesOf(outgoing))) {
    if (value !== undefined) attributes[name] = String(value)
  }
  return { attributes, contentType: outgoing.head.contentType ?? 'application/json', body: outgoing.data }
}

/** All but the data and its content type. */
function attributesOf({ id, type, key, head }: Outgoing): Record<string, ExtensionValue | undefined> {
  return {
    specversion: '1.0',
    id,
    type,
    source: head.source,
    time: new Date(head.time).toISOString(),
    subject: head.subject,
    [wireNames.key]: key,
    [wireNames.topic]: head.topic,
    [wireNames.deliverAt]: head.deliverAt === undefined ? undefined : new Date(head.deliverAt).toISOString(),
    [wireNames.correlationId]: head.correlationId,
    [wireNames.causationId]: head.causationId,
    ...head.extensions,
  }
}

/** The data as a last member, with its comma: JSON as it is, other text as a string, everything else in base64. */
function dataMember(data: Raw, contentType: string | undefined): string {
  if (isJson(contentType)) {
    if (data.length === 0) return ''
    const text = jsonText(data)
    if (text !== undefined) return `,"data":${text}`
  } else if (typeof data === 'string') return `,"data":${JSON.stringify(data)}`
  return `,"data_base64":"${Buffer.from(bytesOf(data)).toString('base64')}"`
}

/** What arrived as JSON need not be JSON. Put into the document it would break it, or add attributes to it. */
function jsonText(data: Raw): string | undefined {
  try {
    const text = textOf(data)
    JSON.parse(text)
    return text
  } catch {
    return undefined
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('DECODE_FAILED', `Not JSON: ${messageOf(cause)}`, { cause })
  }
}

/** `application/json` without parameters is what no content type means here, so that both compare equal. */
function payloadFrom(raw: Raw, contentType: string | undefined): Payload {
  return Payload.from(raw, contentType === 'application/json' ? undefined : contentType)
}

function fromObject(object: unknown, text: string, options: DecodeOptions): MillraceEvent {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new MillraceError('DECODE_FAILED', 'A CloudEvent is a JSON object')
  }
  const attributes = object as Attributes
  const contentType = textAttribute(attributes, 'datacontenttype')
  const base64 = attributes['data_base64'] ?? undefined
  let raw: Raw = ''
  if (base64 !== undefined) {
    if (attributes['data'] !== undefined)
      throw new MillraceError('DECODE_FAILED', 'data and data_base64 exclude each other')
    raw = fromBase64(base64)
  } else if (typeof attributes['data'] === 'string' && !isJson(contentType)) {
    raw = attributes['data']
  } else {
    raw = rawMember(text, 'data') ?? ''
  }
  return fromAttributes(attributes, payloadFrom(raw, contentType), options)
}

/** Node's decoder skips what is not base64; only canonical text gives the same text back. */
function fromBase64(text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined
  if (bytes !== undefined && bytes.toString('base64') === text) return bytes
  throw new MillraceError('DECODE_FAILED', 'data_base64 is not base64')
}

type Attributes = Readonly<Record<string, unknown>>

function fromAttributes(attributes: Attributes, payload: Payload, options: DecodeOptions): MillraceEvent {
  if (attributes['specversion'] !== '1.0') {
    throw new MillraceError(
      'DECODE_FAILED',
      `Expected specversion 1.0, got ${JSON.stringify(attributes['specversion']) ?? 'none'}`,
    )
  }
  const id = checkText(attributes['id'], 'id')
  const type = checkType(attributes['type'] as string)
  const source = checkText(attributes['source'], 'source')
  const extensions = Object.entries(attributes).filter(
    ([name, value]) => !attributeNames.has(name) && value !== null,
  )
  const head: EventHead = {
    source,
    topic: checkName(
      textAttribute(attributes, wireNames.topic) ?? (options.topicOf ?? defaultTopic)(type),
      'topic',
    ),
    time: dateAttribute(attributes, 'time') ?? Date.now(),
    subject: textAttribute(attributes, 'subject'),
    deliverAt: dateAttribute(attributes, wireNames.deliverAt),
    correlationId: textAttribute(attributes, wireNames.correlationId),
    causationId: textAttribute(attributes, wireNames.causationId),
    extensions: extensions.length === 0 ? undefined : checkExtensions(Object.fromEntries(extensions)),
  }
  return new EventRecord(id, type, textAttribute(attributes, wireNames.key), head, payload)
}

/** In the JSON format null is the same as absent. */
function textAttribute(attributes: Attributes, name: string): string | undefined {
  return attributes[name] === undefined || attributes[name] === null
    ? undefined
    : checkText(attributes[name], name)
}

/** RFC 3339, and the years of six digits that `toISOString` writes. `new Date` alone takes far more, such as '1'. */
const timestamp = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

function dateAttribute(attributes: Attributes, name: string): number | undefined {
  const text = textAttribute(attributes, name)?.toUpperCase()
  if (text === undefined) return undefined
  if (!timestamp.test(text)) {
    throw new MillraceError(
      'INVALID_EVENT',
      `Expected \`${name}\` to be a time such as 2026-01-31T09:30:00Z, got ${JSON.stringify(text)}`,
    )
  }
  return checkDate(new Date(text), name)
}
