import { bytesOf, type Raw } from '../../event/payload.ts'

/** Data as it is stored: in one of two columns. Postgres has no NUL in texts; what has one is kept as its bytes. */
export interface StoredData {
  readonly data: string | null
  readonly bytes: Uint8Array | null
}

export function storedData(raw: Raw): StoredData {
  return typeof raw === 'string' && !raw.includes('\u0000')
    ? { data: raw, bytes: null }
    : { data: null, bytes: bytesOf(raw) }
}

export function rawData({ data, bytes }: StoredData): Raw {
  return data ?? bytes ?? ''
}

const now = 'statement_timestamp()'
const nowMs = `extract(epoch FROM ${now}) * 1000`

/**
 * When a row with the columns `due`, in milliseconds since 1970, and `delay` is due: undefined if at once. A delay counts from now
 * by the database's clock, whatever date the publisher has made of it.
 */
export const dueTime = `CASE WHEN due IS NULL THEN NULL WHEN delay > 0 THEN ${now} + delay * interval '1 ms'
  WHEN delay IS NULL AND due > ${nowMs} THEN to_timestamp(due / 1000.0) END`
/** Its head, with the date that its delay has come to: of two members of the same name JSON means the latter. */
export const takenHead = `CASE WHEN delay IS NULL THEN head
  ELSE left(head, -1) || ',"deliverAt":' || floor(${nowMs} + delay) || '}' END`
