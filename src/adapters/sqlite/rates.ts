import { rateTimes, type HandledCount } from '../../contract/rates.ts'
import type { Database } from './database.ts'

const { bucket, window, kept } = rateTimes

const add = `INSERT INTO rates VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET handled = handled + excluded.handled, failed = failed + excluded.failed`

/** @param now milliseconds by the wall clock */
export async function writeRates(
  database: Database,
  counts: ReadonlyMap<number, HandledCount>,
  now: number,
): Promise<void> {
  const at = Math.floor(now / 1_000 / bucket) * bucket
  await database.commit(() => {
    for (const [queue, { handled, failed }] of counts) database.run(add, queue, at, handled, failed)
    database.run('DELETE FROM rates WHERE at < ?', at - kept)
  })
}

/** Means over the last minute, or over the time since the first count if that is shorter. */
export function perSecond(
  database: Database,
  queue: number,
  now: number,
): { readonly handledPerSecond: number; readonly failedPerSecond: number } {
  const second = now / 1_000
  const { first, handled, failed } = database.get<HandledCount & { readonly first: number | null }>(
    `SELECT min(at) AS first, total(iif(at > :from, handled, 0)) AS handled, total(iif(at > :from, failed, 0)) AS failed
     FROM rates WHERE queue = :queue`,
    { queue, from: second - window },
  )!
  const seconds = Math.max(Math.min(second - (first ?? second), window), 1)
  return { handledPerSecond: handled / seconds, failedPerSecond: failed / seconds }
}
