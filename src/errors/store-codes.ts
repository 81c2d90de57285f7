/** The codes of stores and locks: a part of the table in codes.ts. */
export const storeCodes = {
  INVALID_KEY: {
    summary:
      'A key of a store, or the name of a lock, is empty, longer than 512 bytes, or not well-formed text.',
    remedy: 'Shorten it, with a hash if need be.',
  },
  INVALID_VALUE: {
    summary: 'A value for a store is neither well-formed text nor a Uint8Array.',
    remedy: 'Encode it: `JSON.stringify(value)`, or bytes.',
  },
  VALUE_TOO_LARGE: {
    summary: 'The value is larger than `features.maxBytes` of the store.',
    remedy: 'Keep it elsewhere, and put a reference to it.',
  },
  ABORTED: {
    summary: 'The signal given to the call was aborted; `cause` is its reason.',
    remedy: 'Call again if it still matters. A change of a store that was under way may be made or not.',
  },
  LOCK_TAKEN: {
    summary: 'Somebody else held the lock for as long as `wait` says.',
    remedy: 'Wait longer, or leave the work to the holder; `tryAcquire` asks without an error.',
  },
  LOCK_LOST: {
    summary:
      'The lock is not held any more: it was released, or not renewed in time, because the process stood still or the store could not be reached.',
    remedy:
      'Stop what it protects, and take it again. Do not block the event loop for longer than `ttl`, or `extend` it before; let what it protects refuse lower tokens.',
  },
} as const
