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

/** Of a column `due`, in milliseconds since 1970: the time, if it is not past by the database's clock. */
export const dueTime = `CASE WHEN due IS NOT NULL AND due > extract(epoch FROM statement_timestamp()) * 1000
  THEN to_timestamp(due / 1000.0) END`
