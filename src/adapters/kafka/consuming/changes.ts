/** Counts what may have made something ready to take, and wakes those who wait for that. */
export class Changes {
  #count = 0
  readonly #waiting = new Set<() => void>()

  get count(): number {
    return this.#count
  }

  happened(): void {
    this.#count++
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  /** Resolves when the count is another than `seen`, or the signal is aborted. */
  since(seen: number, signal: AbortSignal): Promise<void> {
    if (this.#count !== seen || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}
