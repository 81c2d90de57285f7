import { rateTimes, type HandledCount } from '../../contract/rates.ts'
import type { Database } from './database.ts'

const { bucket, window, kept } = rateTimes

/** Buckets are of the database's clock, as all processes share it. */
const bucketNow = `floor(extract(epoch FROM now()) / ${bucket})::bigint * ${bucket}`
const add = `
  WITH old AS (DELETE FROM {rates} WHERE at < ${bucketNow} - ${kept})
  INSERT INTO {rates} AS r (queue, at, handled, failed)
  SELECT queue, ${bucketNow}, handled, failed FROM unnest($1::int4[], $2::int8[], $3::int8[]) AS n (queue, handled, failed)
  ORDER BY queue
  ON CONFLICT (queue, at) DO UPDATE SET handled = r.handled + excluded.handled, failed = r.failed + excluded.failed`

export async function writeRates(
  database: Database,
  counts: ReadonlyMap<number, HandledCount>,
): Promise<void> {
  const list = [...counts.values()]
  await database.run(
    add,
    [...counts.keys()],
    list.map(({ handled }) => handled),
    list.map(({ failed }) => failed),
  )
}

/** Means over the last minute, or over the time since the first count if that is shorter, of the queue `q`. */
export const perSecond = `
  SELECT coalesce(sum(handled) FILTER (WHERE recent), 0) / seconds AS handled,
    coalesce(sum(failed) FILTER (WHERE recent), 0) / seconds AS failed
  FROM (
    SELECT *, second - at < ${window} AS recent, greatest(least(second - min(at) OVER (), ${window}), 1) AS seconds
    FROM {rates}, extract(epoch FROM now()) AS second WHERE queue = q.id
  ) r GROUP BY seconds`
