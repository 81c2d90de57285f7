import { createHash, randomUUID } from 'node:crypto'

let lastMs = 0
let counter = 0
/** What the ids of `lastMs` begin and end with, and what they begin with up to the last 8 bits of the counter. */
let prefix = ''
let suffix = ''
let front = ''
/** Each byte in digits: to look them up is twice as fast as to write them, and makes no text that must be collected. */
const digitsOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * UUID version 7 (RFC 9562, section 5.7) with its method 1: the 12 bits after the millisecond are a counter, so that the
 * ids of one process ascend. A store that keeps an index on them then appends instead of inserting in the middle, which
 * random bits there cost about 15 % of throughput. The random bits tell processes apart, so that one draw serves for all
 * ids of a millisecond.
 */
export function newId(): string {
  const now = Date.now()
  // More than 4,096 in one millisecond, or the clock went back: run ahead of it rather than repeat or descend.
  if (now > lastMs) begin(now)
  else if (++counter > 0xfff) begin(lastMs + 1)
  const low = counter & 0xff
  if (low === 0) front = prefix + digitsOf[0x70 | (counter >> 8)]
  return front + digitsOf[low] + suffix
}

function begin(ms: number): void {
  lastMs = ms
  counter = 0
  const digits = ms.toString(16).padStart(12, '0')
  prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-`
  // Version 4 has the same bits at its end: the variant, and 62 that are random.
  suffix = randomUUID().slice(18)
}

/**
 * An id that is the same whenever it is made of the same parts: UUID version 8 (RFC 9562, section 5.8) of their SHA-256.
 * Length prefixes keep `['a', 'bc']` and `['ab', 'c']` apart.
 */
export function derivedId(...parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:${part}`)
  const h = hash.digest('hex')
  const variant = ((Number.parseInt(h.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-8${h.slice(13, 16)}-${variant}${h.slice(18, 20)}-${h.slice(20, 32)}`
}
