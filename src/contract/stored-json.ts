import type { EventHead } from '../event/event.ts'
import { decodeHead } from '../event/head.ts'
import type { DeadLetterRecord, FailureNote, FailureTrail } from './dead-letter.ts'

/** The latest time that a Date can hold, in milliseconds since 1970. Later ones, and longer leases, are cut to it. */
export const latestTime = 8_640_000_000_000_000

/** What somebody made of a record by hand, or a disk did, must not keep the other letters from being seen. */
const unreadable: DeadLetterRecord = {
  error: {
    name: 'Error',
    message: 'What went wrong is not known: the record of this dead letter is damaged',
    code: 'STORE_CORRUPT',
  },
  attempts: 0,
  firstFailedAt: 0,
  deadAt: 0,
  history: [],
}

/** undefined if there is none, or none that can be read: the history of an event is not worth stopping its queue. */
export function decodeTrail(text: string | null): FailureTrail | undefined {
  const trail = parse(text)
  return isTrail(trail) ? trail : undefined
}

/** If it cannot be read, a record that says so. */
export function decodeRecord(text: string): DeadLetterRecord {
  const record = parse(text)
  return isRecord(record) ? record : unreadable
}

/** What a redriven event remembers of its record, in JSON: the failures of its former life, though it begins at attempt 1. */
export function trailOf(record: string): string {
  const { firstFailedAt, history } = decodeRecord(record)
  return JSON.stringify({ firstFailedAt, history } satisfies FailureTrail)
}

/** The attributes of a dead letter; undefined if they cannot be decoded, which may be the very reason of the death. */
export function headOrNone(text: string): EventHead | undefined {
  try {
    return decodeHead(text)
  } catch {
    return undefined
  }
}

/** Whether it is a time in milliseconds since 1970. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= latestTime
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return undefined
  }
}

function isTrail(value: unknown): value is FailureTrail {
  const { firstFailedAt, history } = (value ?? {}) as Partial<FailureTrail>
  return isTime(firstFailedAt) && Array.isArray(history) && history.every(isNote)
}

function isNote(value: unknown): value is FailureNote {
  const { at, message } = (value ?? {}) as Partial<FailureNote>
  return isTime(at) && typeof message === 'string'
}

function isRecord(value: unknown): value is DeadLetterRecord {
  const { error, attempts, deadAt } = (value ?? {}) as Partial<DeadLetterRecord>
  const { name, message } = error ?? {}
  return (
    isTrail(value) &&
    isTime(deadAt) &&
    typeof attempts === 'number' &&
    typeof name === 'string' &&
    typeof message === 'string'
  )
}
