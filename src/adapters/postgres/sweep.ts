import type { Clock } from '../../clock/clock.ts'
import type { Database } from './database.ts'

/** How often rows are looked for whose time is over, in milliseconds. */
const every = 60_000

export interface Sweepable {
  /** Deletes rows whose time is over, $1 at most; it may have other values from $2 on. */
  readonly sql: string
  /** How many rows one transaction deletes. */
  readonly batch: number
}

/** Deletes what is over, in the background and some rows at a time, so that nobody waits for it. */
export class Sweep {
  readonly #database: Database
  readonly #clock: Clock
  readonly #what: Sweepable
  readonly #values: readonly unknown[]
  #sweptAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #closed = false

  constructor(database: Database, clock: Clock, what: Sweepable, ...values: readonly unknown[]) {
    this.#database = database
    this.#clock = clock
    this.#what = what
    this.#values = values
  }

  /** If it is time to look. What fails is done the next time. */
  soon(): void {
    const now = this.#clock.monotonic()
    if (this.#closed || now - this.#sweptAt < every || this.#running !== undefined) return
    this.#sweptAt = now
    this.#running = this.#sweep()
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined
      })
  }

  /** Resolves when the transaction under way has ended; the rest is left. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #sweep(): Promise<void> {
    const { sql, batch } = this.#what
    while ((await this.#database.run(sql, batch, ...this.#values)) === batch && !this.#closed);
  }
}
