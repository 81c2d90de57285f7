import type { Clock } from '../clock/clock.ts'
import type { Notice } from '../contract/transport.ts'
import { Outage, type OutageWords } from '../report/outage.ts'

/** Waits between the tries of one thing, longer and longer, and not at all once `signal` is aborted. */
export class Patience {
  readonly #outage: Outage
  readonly #signal: AbortSignal
  #resume: () => void = () => {}

  constructor(clock: Clock, notice: (notice: Notice) => void, words: OutageWords, signal: AbortSignal) {
    this.#outage = new Outage(clock, notice, () => this.#resume(), words)
    this.#signal = signal
    signal.addEventListener('abort', () => this.#outage.cut(), { once: true })
  }

  /** Whether it waits. */
  get on(): boolean {
    return this.#outage.on
  }

  /** A try failed. Resolves when it is time for the next one. */
  after(cause: unknown): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      this.#resume = resolve
      this.#outage.begin(cause)
    })
  }

  /** A try succeeded. */
  over(): void {
    this.#outage.over()
  }
}
