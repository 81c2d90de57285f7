import { MillraceError, messageOf } from '../errors/millrace-error.ts'
import type { EventHead } from './event.ts'

/** A head as one line of JSON, for drivers that keep it beside the data. Undefined attributes are left out. */
export function encodeHead(head: EventHead): string {
  return JSON.stringify(head)
}

/** @throws MillraceError DECODE_FAILED */
export function decodeHead(text: string): EventHead {
  let head: unknown
  try {
    head = JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('DECODE_FAILED', `The stored attributes are not JSON: ${messageOf(cause)}`, {
      cause,
    })
  }
  const { source, topic, time } = (head ?? {}) as Partial<EventHead>
  if (typeof source === 'string' && typeof topic === 'string' && typeof time === 'number')
    return head as EventHead
  throw new MillraceError('DECODE_FAILED', 'The stored attributes lack source, topic or time')
}
