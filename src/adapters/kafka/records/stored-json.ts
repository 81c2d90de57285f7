import type { DeadLetterRecord, FailureTrail } from '../../../contract/dead-letter.ts'

/*
 * What our topics and headers hold was written by us, or by anybody who may write there. Nothing of it is believed before
 * its shape was looked at.
 */

type Fields = Readonly<Record<string, unknown>>

/** The fields of a JSON object; undefined if the text is no such thing. */
export function fieldsIn(text: string): Fields | undefined {
  const value = jsonIn(text)
  return isFields(value) ? value : undefined
}

/** The value of a JSON text; undefined if it is no JSON. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // It is not ours then. Whoever asks says so where it matters.
    return undefined
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function isTrail(value: unknown): value is FailureTrail {
  return isFields(value) && Number.isFinite(value['firstFailedAt']) && isHistory(value['history'])
}

export function isDeadLetterRecord(value: unknown): value is DeadLetterRecord {
  if (!isTrail(value)) return false
  const { error, attempts, deadAt }: Fields = { ...value }
  if (!Number.isFinite(attempts) || !Number.isFinite(deadAt) || !isFields(error)) return false
  return typeof error['name'] === 'string' && typeof error['message'] === 'string'
}

function isHistory(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  return value.every(
    (note) => isFields(note) && Number.isFinite(note['at']) && typeof note['message'] === 'string',
  )
}
