import type { Clock, Timer } from '../clock/clock.ts'

/** Seconds: how long one bucket is, what the rates are taken over, and how long buckets are kept. */
export const rateTimes = { bucket: 5, window: 60, kept: 600 } as const

const writeEvery = 1_000

/** What a queue, named by its number, has had since the last write. */
export interface HandledCount {
  readonly handled: number
  readonly failed: number
}

/** How much was handled and how much failed, where all processes count in one place. Counted in memory and written once a second. */
export class Rates {
  readonly #clock: Clock
  readonly #write: (counts: ReadonlyMap<number, HandledCount>) => Promise<unknown>
  #pending = new Map<number, { handled: number; failed: number }>()
  #timer: Timer | undefined
  #writing: Promise<void> = Promise.resolve()

  /** @param write adds to what is there; what it rejects is added again, so a lost answer may count it twice: these are estimates */
  constructor(clock: Clock, write: (counts: ReadonlyMap<number, HandledCount>) => Promise<unknown>) {
    this.#clock = clock
    this.#write = write
  }

  count(queue: number, handled: number, failed: number): void {
    if (handled + failed === 0) return
    this.#add(queue, handled, failed)
    // What cannot be written is reported by all else; what was counted stays for the next time.
    this.#timer ??= this.#clock.after(writeEvery, () => void this.flush().catch(() => undefined))
  }

  /** Writes what was counted since the last time. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#flush())
    return this.#writing
  }

  async #flush(): Promise<void> {
    if (this.#pending.size === 0) return
    const counts = this.#pending
    this.#pending = new Map()
    try {
      await this.#write(counts)
    } catch (error) {
      for (const [queue, { handled, failed }] of counts) this.#add(queue, handled, failed)
      throw error
    }
  }

  #add(queue: number, handled: number, failed: number): void {
    const counts = this.#pending.get(queue)
    if (counts === undefined) this.#pending.set(queue, { handled, failed })
    else {
      counts.handled += handled
      counts.failed += failed
    }
  }
}
