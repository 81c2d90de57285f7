import type { Duration } from '../clock/duration.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { checkDate, checkExtensions, checkText, type ExtensionValue } from './attributes.ts'
import { delayFrom, delayIn, delayOf, type Delay } from './delay.ts'
import { newId } from './ids.ts'
import { checkName, checkType, defaultTopic } from './names.ts'
import { bytesOf, Payload } from './payload.ts'
// oxlint-disable-next-line import/no-unassigned-import -- it declares global names, and this file is part of every subpath
import './platform.ts'

/**
 * What travels: the attributes of CloudEvents 1.0, and `topic`, `key` and `deliverAt`.
 * The data is decoded when it is first read. Spreading, `JSON.stringify` and inspecting an event work as for a plain
 * object; `bytes` and `with` belong to the event itself and do not survive a spread.
 */
export interface MillraceEvent<T extends string = string, D = unknown> {
  /** Unique for each event, the same on every delivery. UUIDv7, ascending within a process, unless you give your own. */
  readonly id: string
  readonly type: T
  /** Who published it, a URI reference such as `/shop`. */
  readonly source: string
  /** Where it was published: by default the first segment of the type. */
  readonly topic: string
  /** When it happened; by default when it was made. */
  readonly time: Date
  /** What it is about, within the source. */
  readonly subject?: string
  /** Events of one key are handled in their order by queues with `order: { by: 'key' }`. CloudEvents: partitionkey. */
  readonly key?: string
  /** Not to be handled before. */
  readonly deliverAt?: Date
  /** The id that all events of one business process share. */
  readonly correlationId?: string
  /** The id of the event whose handler published this one. */
  readonly causationId?: string
  /** Media type of the data; none means JSON. */
  readonly contentType?: string
  /** CloudEvents extensions that millrace does not know. */
  readonly extensions: Readonly<Record<string, ExtensionValue>>
  readonly data: D
  /** The data as it travelled, or as it would travel. */
  readonly bytes: Uint8Array
  /** A copy with some attributes or the data changed. It keeps the id unless you give another. */
  with(changes: Partial<EventOptions>): this
  with(changes: Partial<EventOptions> & { data?: unknown; type?: string }): MillraceEvent
}

/** What can be said of an event besides its type and data. */
export interface EventOptions {
  /** Default: a new UUIDv7. */
  id?: string
  key?: string
  subject?: string
  /** Default: the `source` of the app, else `/millrace`. */
  source?: string
  /** Default: the first segment of the type, or what `defineEvents(..., { topic })` says. */
  topic?: string
  /** Default: now. */
  time?: Date
  /**
   * Deliver this much later, by the clock that `features.delayClock` names: where that is a server's, than the server takes the
   * event, and `deliverAt` becomes a date by its clock; else than the event is made. Give `delay` or `deliverAt`, not both.
   */
  delay?: Duration
  deliverAt?: Date
  correlationId?: string
  causationId?: string
  extensions?: Record<string, ExtensionValue>
}

/** The attributes that only some readers of an event need; drivers may read them lazily. Times in milliseconds since 1970. */
export interface EventHead {
  readonly source: string
  readonly topic: string
  readonly time: number
  readonly subject?: string | undefined
  readonly deliverAt?: number | undefined
  /** Only in an outbox that goes by the publisher's clock: `deliverAt` was said as a delay. */
  readonly delayed?: boolean | undefined
  readonly correlationId?: string | undefined
  readonly causationId?: string | undefined
  readonly contentType?: string | undefined
  readonly extensions?: Readonly<Record<string, ExtensionValue>> | undefined
}

export const defaultSource = '/millrace'
const noExtensions: Readonly<Record<string, ExtensionValue>> = Object.freeze({})

/** Holds the payload on every copy, spreads included, whichever copy of the library made it. */
export const payloadOf: unique symbol = Symbol.for('millrace.payload') as never

const lazyData = {
  enumerable: true,
  configurable: true,
  get(this: EventRecord): unknown {
    return this[payloadOf].value
  },
}

/** The one implementation of MillraceEvent. All own properties, always in this order, so that engines keep one shape. */
export class EventRecord implements MillraceEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly topic: string
  readonly time: Date
  declare readonly subject?: string
  declare readonly key?: string
  declare readonly deliverAt?: Date
  declare readonly correlationId?: string
  declare readonly causationId?: string
  declare readonly contentType?: string
  readonly extensions: Readonly<Record<string, ExtensionValue>>
  readonly [payloadOf]: Payload
  declare readonly [delayOf]?: Delay
  declare readonly data: unknown

  /** @param delay that `head.deliverAt` was made of, if it was, in milliseconds */
  constructor(
    id: string,
    type: string,
    key: string | undefined,
    head: EventHead,
    payload: Payload,
    delay?: number,
  ) {
    this.id = id
    this.type = type
    this.source = head.source
    this.topic = head.topic
    this.time = new Date(head.time)
    const self = this as { -readonly [K in keyof EventRecord]: EventRecord[K] }
    if (head.subject !== undefined) self.subject = head.subject
    if (key !== undefined) self.key = key
    if (head.deliverAt !== undefined) {
      self.deliverAt = new Date(head.deliverAt)
      if (delay !== undefined) self[delayOf] = { milliseconds: delay, deliverAt: head.deliverAt }
    }
    if (head.correlationId !== undefined) self.correlationId = head.correlationId
    if (head.causationId !== undefined) self.causationId = head.causationId
    if (payload.contentType !== undefined) self.contentType = payload.contentType
    this.extensions = head.extensions ?? noExtensions
    this[payloadOf] = payload
    Object.defineProperty(this, 'data', lazyData)
  }

  get bytes(): Uint8Array {
    return bytesOf(this[payloadOf].encode())
  }

  with(changes: Partial<EventOptions>): this
  with(changes: Partial<EventOptions> & { data?: unknown; type?: string }): MillraceEvent
  with(changes: Partial<EventOptions> & { data?: unknown; type?: string }): MillraceEvent {
    const { data, type = this.type, ...options } = changes
    const topic =
      options.topic ??
      (type !== this.type && this.topic === defaultTopicOrNone(this.type) ? defaultTopic(type) : this.topic)
    const changed = 'data' in changes ? Payload.inPlaceOf(this.contentType, data) : this[payloadOf]
    const head = headFromOptions(type, options, { ...headOf(this), topic })
    const hasNewDate = options.delay !== undefined || options.deliverAt !== undefined
    return new EventRecord(
      checkText(options.id ?? this.id, 'id'),
      checkType(type),
      options.key === undefined ? this.key : checkText(options.key, 'key'),
      head,
      changed,
      hasNewDate ? delayFrom(options) : delayIn(this),
    )
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: unknown,
    inspect: (value: unknown, options: unknown) => string,
  ): string {
    const names = Object.keys(this) as (keyof this)[]
    return `MillraceEvent ${inspect(Object.fromEntries(names.map((name) => [name, this.#shown(name)])), options)}`
  }

  /** An event that cannot be decoded can still be looked at. */
  #shown(name: keyof this): unknown {
    try {
      return this[name]
    } catch (error) {
      return error
    }
  }
}

function defaultTopicOrNone(type: string): string | undefined {
  try {
    return defaultTopic(type)
  } catch {
    return undefined // a reverse-DNS type has no default topic, so the present one was chosen
  }
}

export function headOf(event: MillraceEvent): EventHead {
  return {
    source: event.source,
    topic: event.topic,
    time: event.time.getTime(),
    subject: event.subject,
    deliverAt: event.deliverAt?.getTime(),
    correlationId: event.correlationId,
    causationId: event.causationId,
    contentType: event.contentType,
    extensions: event.extensions,
  }
}

/**
 * An event, to publish now or later. Its data is encoded when it is published.
 * @throws MillraceError INVALID_EVENT, INVALID_NAME, INVALID_OPTION, TOPIC_AMBIGUOUS
 * @example await app.publish(createEvent('order.placed', { orderId: '7' }, { key: '7' }))
 */
export function createEvent<T extends string, D>(
  type: T,
  data: D,
  options: EventOptions = {},
): MillraceEvent<T, D> {
  return makeEvent(type, data, options) as MillraceEvent as MillraceEvent<T, D>
}

/** What an app gives to the events it makes. */
export interface Origin {
  readonly source: string
  /** The topic of a type. @throws MillraceError INVALID_EVENT if it is none */
  topicOf(type: string): string
  /** Milliseconds since 1970. */
  now(): number
}

const noApp: Origin = { source: defaultSource, topicOf: defaultTopic, now: () => Date.now() }

/** `createEvent` for an app. */
export function makeEvent(
  type: string,
  data: unknown,
  options: EventOptions,
  origin: Origin = noApp,
): EventRecord {
  const payload = Payload.of(data)
  const { id, key, head, delay } = attributesOf(type, options, origin, payload.contentType)
  return new EventRecord(id, type, key, head, payload, delay)
}

/** The attributes of a new event. */
export function attributesOf(
  type: string,
  options: EventOptions,
  origin: Origin,
  contentType: string | undefined,
): {
  readonly id: string
  readonly key: string | undefined
  readonly head: EventHead
  readonly delay: number | undefined
} {
  const { source } = origin
  const time = origin.now()
  const topic = options.topic ?? origin.topicOf(type)
  if (options.topic !== undefined) checkType(type)
  return {
    head: headFromOptions(type, options, { source, topic, time, contentType }, time),
    id: options.id === undefined ? newId() : checkText(options.id, 'id'),
    key: options.key === undefined ? undefined : checkText(options.key, 'key'),
    delay: delayFrom(options),
  }
}

/** `base` with what the options say. */
function headFromOptions(
  type: string,
  options: EventOptions,
  base: EventHead,
  now: number = Date.now(),
): EventHead {
  if (options.delay !== undefined && options.deliverAt !== undefined) {
    throw new MillraceError('INVALID_OPTION', `Give delay or deliverAt for '${type}', not both`)
  }
  const delay = delayFrom(options)
  const deliverAt = delay === undefined ? options.deliverAt : new Date(now + delay)
  return {
    source: options.source === undefined ? base.source : checkText(options.source, 'source'),
    topic: options.topic === undefined ? base.topic : checkName(options.topic, 'topic'),
    time: options.time === undefined ? base.time : checkDate(options.time, 'time'),
    subject: options.subject === undefined ? base.subject : checkText(options.subject, 'subject'),
    deliverAt: deliverAt === undefined ? base.deliverAt : checkDate(deliverAt, 'deliverAt'),
    correlationId:
      options.correlationId === undefined
        ? base.correlationId
        : checkText(options.correlationId, 'correlationId'),
    causationId:
      options.causationId === undefined ? base.causationId : checkText(options.causationId, 'causationId'),
    contentType: base.contentType,
    extensions: options.extensions === undefined ? base.extensions : checkExtensions(options.extensions),
  }
}
