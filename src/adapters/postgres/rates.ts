import type { Clock, Timer } from '../../clock/clock.ts'
import type { Database } from './database.ts'

/** Seconds: how long one bucket is, what the rates are taken over, and how long buckets are kept. */
const bucket = 5
const window = 60
const kept = 600

const flushEvery = 1_000

interface Counts {
  handled: number
  failed: number
}

/** Buckets are of the database's clock, as all processes share it. */
const bucketNow = `floor(extract(epoch FROM now()) / ${bucket})::bigint * ${bucket}`
const add = `
  WITH old AS (DELETE FROM {rates} WHERE at < ${bucketNow} - ${kept})
  INSERT INTO {rates} AS r (queue, at, handled, failed)
  SELECT queue, ${bucketNow}, handled, failed FROM unnest($1::int4[], $2::int8[], $3::int8[]) AS n (queue, handled, failed)
  ORDER BY queue
  ON CONFLICT (queue, at) DO UPDATE SET handled = r.handled + excluded.handled, failed = r.failed + excluded.failed`

/** Means over the last minute, or over the time since the first count if that is shorter, of the queue `q`. */
export const perSecond = `
  SELECT coalesce(sum(handled) FILTER (WHERE recent), 0) / seconds AS handled,
    coalesce(sum(failed) FILTER (WHERE recent), 0) / seconds AS failed
  FROM (
    SELECT *, second - at < ${window} AS recent, greatest(least(second - min(at) OVER (), ${window}), 1) AS seconds
    FROM {rates}, extract(epoch FROM now()) AS second WHERE queue = q.id
  ) r GROUP BY seconds`

/** How much was handled and how much failed, by all processes. Counted in memory and written once a second. */
export class Rates {
  readonly #database: Database
  readonly #clock: Clock
  #pending = new Map<number, Counts>()
  #timer: Timer | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(database: Database, clock: Clock) {
    this.#database = database
    this.#clock = clock
  }

  count(queue: number, handled: number, failed: number): void {
    if (handled + failed === 0) return
    const counts = this.#pending.get(queue)
    if (counts === undefined) this.#pending.set(queue, { handled, failed })
    else {
      counts.handled += handled
      counts.failed += failed
    }
    // A database that cannot be written is reported by all else; what was counted stays for the next time.
    this.#timer ??= this.#clock.after(flushEvery, () => void this.flush().catch(() => undefined))
  }

  /** Writes what was counted since the last time. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const writing = this.#writing.catch(() => undefined).then(() => this.#write())
    this.#writing = writing
    return writing
  }

  async #write(): Promise<void> {
    if (this.#pending.size === 0) return
    const pending = this.#pending
    this.#pending = new Map()
    const counts = [...pending.values()]
    try {
      await this.#database.run(
        add,
        [...pending.keys()],
        counts.map(({ handled }) => handled),
        counts.map(({ failed }) => failed),
      )
    } catch (error) {
      for (const [queue, { handled, failed }] of pending) this.count(queue, handled, failed)
      throw error
    }
  }
}
