const seconds = 60

/** Counts what this process has handled and what has failed, over the last minute, second by second. */
export class Rates {
  readonly #now: () => number
  readonly #handled = new Float64Array(seconds)
  readonly #failed = new Float64Array(seconds)
  readonly #stamps = new Float64Array(seconds).fill(-1)
  #first: number | undefined

  /** @param now milliseconds by a monotonic clock */
  constructor(now: () => number) {
    this.#now = now
  }

  count(what: 'handled' | 'failed'): void {
    const second = Math.floor(this.#now() / 1_000)
    this.#first ??= second
    const bucket = second % seconds
    if (this.#stamps[bucket] !== second) {
      this.#stamps[bucket] = second
      this.#handled[bucket] = 0
      this.#failed[bucket] = 0
    }
    const counts = what === 'handled' ? this.#handled : this.#failed
    counts[bucket]! += 1
  }

  /** The means over the last minute, or over the time since the first count if that is shorter. */
  perSecond(): { readonly handledPerSecond: number; readonly failedPerSecond: number } {
    const second = Math.floor(this.#now() / 1_000)
    const span = Math.min(second - (this.#first ?? second) + 1, seconds)
    let handled = 0
    let failed = 0
    for (let bucket = 0; bucket < seconds; bucket++) {
      if (this.#stamps[bucket]! <= second - seconds) continue
      handled += this.#handled[bucket]!
      failed += this.#failed[bucket]!
    }
    return { handledPerSecond: handled / span, failedPerSecond: failed / span }
  }
}
