import { MillraceError } from '../errors/millrace-error.ts'
import { checkDate, checkExtensions, checkText } from './attributes.ts'
import { delayIn } from './delay.ts'
import {
  attributesOf,
  EventRecord,
  headOf,
  payloadOf,
  type EventHead,
  type EventOptions,
  type MillraceEvent,
  type Origin,
} from './event.ts'
import { checkName, checkType } from './names.ts'
import { Payload, sizeOf, type Raw } from './payload.ts'

/** An event encoded and ready to leave. Drivers read it, and never change it. */
export interface Outgoing {
  readonly id: string
  readonly type: string
  readonly topic: string
  readonly key: string | undefined
  /** Not to be handed out before: milliseconds since 1970; undefined for at once. */
  readonly deliverAt: number | undefined
  /**
   * Milliseconds from the publish, if that is how `head.deliverAt` was said: then that is a date by the publisher's clock. A
   * system whose own clock decides counts them from when it takes the event, and what it hands out has that date in its head.
   * Of an event that is published through an outbox they count from when the outbox takes it, by the outbox's clock.
   */
  readonly delay: number | undefined
  /** All other attributes, and topic and deliverAt again: what the receiving side needs to make the event. */
  readonly head: EventHead
  readonly data: Raw
  /** Bytes of the data and of all attributes, about: what `features.maxBytes` is held against. */
  readonly size: number
}

/** What all systems carry of an event. */
type Travelling = Pick<Outgoing, 'id' | 'type' | 'key' | 'head' | 'data'>

/**
 * Encodes at once, so that data changed later changes nothing. Takes any object of an event's shape: a spread, one of
 * another copy of the library, one written by hand.
 * @throws MillraceError INVALID_EVENT, INVALID_NAME, DATA_NOT_JSON
 */
export function encodeEvent(event: MillraceEvent): Outgoing {
  const record = recordOf(event)
  return outgoing(record, record.type, headOf(record), record[payloadOf].encode(), delayIn(record))
}

/** `makeEvent` and `encodeEvent` in one: nobody sees the event itself. @throws MillraceError as both */
export function encodeNew(type: string, data: unknown, options: EventOptions, origin: Origin): Outgoing {
  const payload = Payload.of(data)
  const names = attributesOf(type, options, origin, payload.contentType)
  return outgoing(names, type, names.head, payload.encode(), names.delay)
}

function outgoing(
  { id, key }: { readonly id: string; readonly key?: string | undefined },
  type: string,
  head: EventHead,
  data: Raw,
  delay?: number,
): Outgoing {
  const size = sizeOf(data) + sizeOfAttributes(head, id.length + type.length + (key?.length ?? 0))
  return { id, type, topic: head.topic, key, deliverAt: head.deliverAt, delay, head, data, size }
}

/** What was received, ready to leave once more, as it came. */
export function onwards({ id, type, key, head, data }: Travelling): Outgoing {
  return outgoing({ id, key }, type, head, data)
}

/** The event as the receiving side sees it: nothing of what somebody still does to the original reaches it. */
export function travelled({ id, type, key, head, data }: Travelling): EventRecord {
  return new EventRecord(id, type, key, head, Payload.from(data, head.contentType))
}

/** The event itself if it is one of ours, else one made of it. @throws MillraceError INVALID_EVENT, INVALID_NAME */
export function recordOf(event: MillraceEvent): EventRecord {
  if (event instanceof EventRecord) return event
  if (typeof event !== 'object' || event === null) {
    throw new MillraceError(
      'INVALID_EVENT',
      `Expected an event (createEvent makes one), got ${event === null ? 'null' : typeof event}`,
    )
  }
  const head: EventHead = {
    source: checkText(event.source, 'source'),
    topic: checkName(event.topic, 'topic'),
    time: checkDate(event.time, 'time'),
    subject: event.subject === undefined ? undefined : checkText(event.subject, 'subject'),
    deliverAt: event.deliverAt === undefined ? undefined : checkDate(event.deliverAt, 'deliverAt'),
    correlationId:
      event.correlationId === undefined ? undefined : checkText(event.correlationId, 'correlationId'),
    causationId: event.causationId === undefined ? undefined : checkText(event.causationId, 'causationId'),
    extensions: event.extensions === undefined ? undefined : checkExtensions(event.extensions),
  }
  const key = event.key === undefined ? undefined : checkText(event.key, 'key')
  const contentType =
    event.contentType === undefined ? undefined : checkText(event.contentType, 'contentType')
  // A spread carries the payload along: its bytes are still right if its data is still the same thing.
  const carried = (event as { [payloadOf]?: Payload })[payloadOf]
  const payload =
    carried !== undefined && carried.value === event.data ? carried : Payload.of(event.data, contentType)
  return new EventRecord(checkText(event.id, 'id'), checkType(event.type), key, head, payload, delayIn(event))
}

/** An upper estimate of what the attributes take in any encoding; every character may be up to three bytes. */
function sizeOfAttributes(head: EventHead, others: number): number {
  let characters = others + head.source.length + head.topic.length
  characters +=
    (head.subject?.length ?? 0) +
    (head.correlationId?.length ?? 0) +
    (head.causationId?.length ?? 0) +
    (head.contentType?.length ?? 0)
  for (const name in head.extensions) characters += name.length + String(head.extensions[name]).length
  return 256 + 3 * characters
}
