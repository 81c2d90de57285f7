/** Room for so many handlers at once. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(size: number) {
    this.#free = size
  }

  tryTake(): boolean {
    if (this.#free === 0) return false
    this.#free--
    return true
  }

  /** Calls `run` with a slot taken: at once, or when one is given back. Who waits here comes before `tryTake`. */
  take(run: () => void): void {
    if (this.tryTake()) run()
    else this.#waiting.push(run)
  }

  giveBack(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
