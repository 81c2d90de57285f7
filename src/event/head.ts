import { MillraceError, messageOf } from '../errors/millrace-error.ts'
import type { EventHead } from './event.ts'

/** A head as one line of JSON, for drivers that keep it beside the data. Undefined attributes are left out. */
export function encodeHead(head: EventHead): string {
  return JSON.stringify(head)
}

/** The heads of events that leave together, encoded. */
export function encodeHeads(heads: readonly EventHead[]): readonly string[] {
  return sharedHeads(heads, encodeHead)
}

/** What is kept of each head. Neighbours mostly say the same, down to the millisecond, and share it. */
export function sharedHeads<T>(heads: readonly EventHead[], keep: (head: EventHead) => T): readonly T[] {
  let last: { readonly head: EventHead; readonly kept: T } | undefined
  return heads.map((head) => {
    if (last === undefined || !saysTheSame(head, last.head)) last = { head, kept: keep(head) }
    return last.kept
  })
}

function saysTheSame(one: EventHead, other: EventHead): boolean {
  return (
    one.time === other.time &&
    one.source === other.source &&
    one.topic === other.topic &&
    one.subject === other.subject &&
    one.deliverAt === other.deliverAt &&
    one.delayed === other.delayed &&
    one.correlationId === other.correlationId &&
    one.causationId === other.causationId &&
    one.contentType === other.contentType &&
    one.extensions === other.extensions
  )
}

/** Of what was decoded last: events that left together carry the same text, and come together. */
let latest: { readonly text: string; readonly head: EventHead } | undefined

/** The head is frozen: it may be that of several events. @throws MillraceError DECODE_FAILED */
export function decodeHead(text: string): EventHead {
  if (text === latest?.text) return latest.head
  let head: unknown
  try {
    head = JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('DECODE_FAILED', `The stored attributes are not JSON: ${messageOf(cause)}`, {
      cause,
    })
  }
  const { source, topic, time, extensions } = (head ?? {}) as Partial<EventHead>
  if (typeof source !== 'string' || typeof topic !== 'string' || typeof time !== 'number')
    throw new MillraceError('DECODE_FAILED', 'The stored attributes lack source, topic or time')
  Object.freeze(extensions)
  latest = { text, head: Object.freeze(head as EventHead) }
  return latest.head
}
