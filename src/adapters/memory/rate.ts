const seconds = 60

/** Counts what happened over the last minute, in one bucket for each second. */
export class Rate {
  readonly #counts = new Float64Array(seconds)
  readonly #stamps = new Float64Array(seconds).fill(-1)
  #first: number | undefined

  /** @param at milliseconds by the monotonic clock */
  add(at: number): void {
    const second = Math.floor(at / 1_000)
    this.#first ??= second
    const bucket = second % seconds
    if (this.#stamps[bucket] !== second) {
      this.#stamps[bucket] = second
      this.#counts[bucket] = 0
    }
    this.#counts[bucket]! += 1
  }

  /** The mean over the last minute, or over the time since the first count if that is shorter. */
  perSecond(at: number): number {
    if (this.#first === undefined) return 0
    const second = Math.floor(at / 1_000)
    let sum = 0
    for (let bucket = 0; bucket < seconds; bucket++) {
      if (this.#stamps[bucket]! > second - seconds) sum += this.#counts[bucket]!
    }
    return sum / Math.min(second - this.#first + 1, seconds)
  }
}
