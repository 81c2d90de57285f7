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

const add = `INSERT INTO rates VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET handled = handled + excluded.handled, failed = failed + excluded.failed`

/** How much was handled and how much failed, by all processes. Counted in memory and written once a second. */
export class Rates {
  readonly #database: Database
  readonly #clock: Clock
  #pending = new Map<number, Counts>()
  #timer: Timer | undefined

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
    // A file that cannot be written is reported by all else; what was counted stays for the next time.
    this.#timer ??= this.#clock.after(flushEvery, () => void this.flush().catch(() => undefined))
  }

  /** Writes what was counted since the last time. */
  async flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#pending.size === 0) return
    const at = Math.floor(this.#clock.now() / 1_000 / bucket) * bucket
    await this.#database.commit(() => {
      for (const [queue, { handled, failed }] of this.#pending)
        this.#database.run(add, queue, at, handled, failed)
      this.#database.run('DELETE FROM rates WHERE at < ?', at - kept)
    })
    this.#pending.clear()
  }

  /** Mean over the last minute, or over the time since the first count if that is shorter. */
  perSecond(queue: number): { handledPerSecond: number; failedPerSecond: number } {
    const second = this.#clock.now() / 1_000
    const { first, handled, failed } = this.#database.get<Counts & { first: number | null }>(
      `SELECT min(at) AS first, total(iif(at > :from, handled, 0)) AS handled, total(iif(at > :from, failed, 0)) AS failed
       FROM rates WHERE queue = :queue`,
      { queue, from: second - window },
    )!
    const seconds = Math.max(Math.min(second - (first ?? second), window), 1)
    return { handledPerSecond: handled / seconds, failedPerSecond: failed / seconds }
  }
}
