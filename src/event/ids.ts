import { createHash, getRandomValues } from 'node:crypto'

/**
 * UUID version 7 (RFC 9562, section 5.7) with its method 1: the 12 bits after the millisecond are a counter, so that the
 * ids of one process ascend. A store that keeps an index on them then appends instead of inserting in the middle, which
 * random bits there cost about 15 % of throughput.
 */
const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const pool = new Uint8Array(8 * 256)
let used = pool.length
let lastMs = 0
let counter = 0

export function newId(): string {
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    counter = 0
  } else if (++counter > 0xfff) {
    // More than 4,096 in one millisecond, or the clock went back: run ahead of it rather than repeat or descend.
    lastMs++
    counter = 0
  }
  if (used === pool.length) {
    getRandomValues(pool)
    used = 0
  }
  const high = Math.floor(lastMs / 0x10000)
  const low = lastMs % 0x10000
  const at = used
  used += 8
  const byte = (i: number): string => hex[pool[at + i]!]!
  return (
    `${hex[high >>> 24]!}${hex[(high >>> 16) & 0xff]!}${hex[(high >>> 8) & 0xff]!}${hex[high & 0xff]!}` +
    `-${hex[low >>> 8]!}${hex[low & 0xff]!}` +
    `-${hex[0x70 | (counter >>> 8)]!}${hex[counter & 0xff]!}` +
    `-${hex[(pool[at]! & 0x3f) | 0x80]!}${byte(1)}` +
    `-${byte(2)}${byte(3)}${byte(4)}${byte(5)}${byte(6)}${byte(7)}`
  )
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
