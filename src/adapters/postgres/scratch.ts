/** Holds the events of most statements. */
const size = 1024 * 1024

/** Few statements overlap. */
const most = 4
const spare: Scratch[] = []

/**
 * Memory that the values of one statement after another are written into. Were it new each time, V8 would collect all garbage, old
 * and young, several times a second, for it counts what lies outside of its heap as a reason to.
 */
export class Scratch {
  readonly #memory = Buffer.allocUnsafeSlow(size)
  #used = 0

  static borrow(): Scratch {
    return spare.pop() ?? new Scratch()
  }

  /** Bytes of any content. */
  take(count: number): Buffer {
    const from = this.#used
    if (from + count > size) return Buffer.allocUnsafe(count)
    this.#used += count
    return this.#memory.subarray(from, this.#used)
  }

  /** When nobody reads what was written any more: not behind a failure, since a client may still be about to send it. */
  giveBack(): void {
    this.#used = 0
    if (spare.length < most) spare.push(this)
  }
}
