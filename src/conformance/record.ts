import type { DeadLetterRecord } from '../contract/dead-letter.ts'

/** For dead letters whose record does not matter. */
export const record: DeadLetterRecord = {
  error: { name: 'Error', message: 'no' },
  attempts: 1,
  firstFailedAt: 1,
  deadAt: 1,
  history: [],
}
