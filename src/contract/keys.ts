import { MillraceError } from '../errors/millrace-error.ts'

/** Shorter than what every system takes, with room for a prefix of its own. */
const mostBytes = 512

/**
 * What keys of stores and names of locks may be: any text, for ids of events and users are made into keys.
 * @throws MillraceError INVALID_KEY
 */
export function checkKey(key: string): string {
  // No character takes less than a byte: what is longer need not be counted.
  const fits =
    typeof key === 'string' &&
    key.length > 0 &&
    key.length <= mostBytes &&
    key.isWellFormed() &&
    Buffer.byteLength(key) <= mostBytes
  if (fits) return key
  const shown = typeof key === 'string' ? JSON.stringify(key.slice(0, 64)) : String(key)
  throw new MillraceError('INVALID_KEY', `Expected well-formed text of 1 to ${mostBytes} bytes, got ${shown}`)
}
