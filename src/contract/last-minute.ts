const seconds = 60

/** What a process handled over the last minute and what failed, in one bucket for each second. */
export class LastMinute {
  readonly #handled = new Float64Array(seconds)
  readonly #failed = new Float64Array(seconds)
  readonly #stamps = new Float64Array(seconds).fill(-1)
  #first: number | undefined

  /** @param at milliseconds by the monotonic clock */
  count(at: number, handled: number, failed: number): void {
    const second = Math.floor(at / 1_000)
    this.#first ??= second
    const bucket = second % seconds
    if (this.#stamps[bucket] !== second) {
      this.#stamps[bucket] = second
      this.#handled[bucket] = 0
      this.#failed[bucket] = 0
    }
    this.#handled[bucket]! += handled
    this.#failed[bucket]! += failed
  }

  /** The means over the last minute, or over the time since the first count if that is shorter. */
  perSecond(at: number): { readonly handledPerSecond: number; readonly failedPerSecond: number } {
    const second = Math.floor(at / 1_000)
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
