import type { Notice } from '../../contract/transport.ts'
import type { Database } from './database.ts'

export interface WakeUpOptions {
  readonly wake: 'notify' | 'interval' | 'both'
  /** Milliseconds. */
  readonly pollInterval: number
}

/** Tells the sessions that there may be something to take. */
export class WakeUp {
  readonly #waiting = new Set<() => void>()
  readonly #options: WakeUpOptions
  #count = 0

  constructor(_database: Database, options: WakeUpOptions) {
    this.#options = options
  }

  /** Grows whenever there may be something new. */
  get count(): number {
    return this.#count
  }

  get pollEvery(): number {
    return Math.min(this.#options.pollInterval, 100)
  }

  /** Begins to listen for a session, which hears of degradation. Returns the end of it. */
  join(_notice: (notice: Notice) => void): () => void {
    return () => {}
  }

  /** Calls `run` at every hint until it is taken back. */
  onHint(run: () => void): () => void {
    this.#waiting.add(run)
    return () => void this.#waiting.delete(run)
  }

  /** For everybody: something was committed that others may take from these queues. */
  announce(_queues: Iterable<number>): void {
    this.#count++
    for (const run of this.#waiting) run()
  }

  async close(): Promise<void> {}
}
