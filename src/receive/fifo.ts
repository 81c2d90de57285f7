/** First in, first out. What is taken is let go at once: whatever an old array still pointed to would outlive its handler. */
export class Fifo<T> {
  #in: T[] = []
  /** What came first, in reverse. */
  #out: T[] = []

  push(value: T): void {
    this.#in.push(value)
  }

  peek(): T | undefined {
    if (this.#out.length === 0 && this.#in.length > 0) {
      this.#out = this.#in.toReversed()
      this.#in = []
    }
    return this.#out.at(-1)
  }

  shift(): T | undefined {
    return this.peek() === undefined ? undefined : this.#out.pop()
  }

  /** Takes all. */
  drain(): T[] {
    const all = [...this.#out.toReversed(), ...this.#in]
    this.#in = []
    this.#out = []
    return all
  }
}
