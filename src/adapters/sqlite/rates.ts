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

/**
 * How much was handled and how much failed, by all processes. Counted in memory and written at most once a second, with
 * a transaction that is made anyway; a crash loses that second of the statistics.
 */
export class Rates {
  readonly #database: Database
  #pending = new Map<number, Counts>()
  #flushedAt = Number.NEGATIVE_INFINITY
  #bucket = 0

  constructor(database: Database) {
    this.#database = database
  }

  get isPending(): boolean {
    return this.#pending.size > 0
  }

  /** Whether there is something to write and the last time was a second ago. */
  isDue(now: number): boolean {
    return this.isPending && Math.abs(now - this.#flushedAt) >= flushEvery
  }

  add(queue: number, handled: number, failed: number): void {
    if (handled + failed === 0) return
    const counts = this.#pending.get(queue)
    if (counts === undefined) this.#pending.set(queue, { handled, failed })
    else {
      counts.handled += handled
      counts.failed += failed
    }
  }

  /** Within a write transaction. */
  flush(now: number): void {
    const at = Math.floor(now / 1_000 / bucket) * bucket
    const add = `INSERT INTO rates VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET handled = handled + excluded.handled, failed = failed + excluded.failed`
    for (const [queue, { handled, failed }] of this.#pending)
      this.#database.run(add, queue, at, handled, failed)
    this.#pending = new Map()
    this.#flushedAt = now
    if (at !== this.#bucket) this.#database.run('DELETE FROM rates WHERE at < ?', at - kept)
    this.#bucket = at
  }

  /** Mean over the last minute, or over the time since the first count if that is shorter. */
  perSecond(queue: number, now: number): { handledPerSecond: number; failedPerSecond: number } {
    const second = now / 1_000
    const { first, handled, failed } = this.#database.get<Counts & { first: number | null }>(
      `SELECT min(at) AS first, total(iif(at > :from, handled, 0)) AS handled, total(iif(at > :from, failed, 0)) AS failed
       FROM rates WHERE queue = :queue`,
      { queue, from: second - window },
    )!
    const seconds = Math.max(Math.min(second - (first ?? second), window), 1)
    return { handledPerSecond: handled / seconds, failedPerSecond: failed / seconds }
  }
}
