import { MillraceError } from '../../errors/millrace-error.ts'

/** Object ids of the types that are no text here. */
const bool = 16
const bytea = 17
const int2 = 21
const int4 = 23
const float8 = 701

const asText = (text: string): unknown => text
const parsers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [bool, (text) => text === 't'],
  [bytea, bytesIn],
  [int2, Number],
  [int4, Number],
  [float8, Number],
])

function bytesIn(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  throw new MillraceError('STORE_INCOMPATIBLE', 'Postgres shows bytes as escapes: set bytea_output to hex')
}

/**
 * What becomes of values, given with each statement, since the user may have told his client something else: bigint, for
 * one, is text here.
 */
export const types = {
  getTypeParser: (type: number): ((text: string) => unknown) => parsers.get(type) ?? asText,
}
