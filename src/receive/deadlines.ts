import type { Clock, Timer } from '../clock/clock.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Held } from './held.ts'

export function timeoutError(maxHandling: number): MillraceError {
  return new MillraceError('HANDLING_TIMEOUT', `The handler ran longer than maxHandling (${maxHandling} ms)`)
}

/** Watches how long handlers run. One timer for all of a queue: nearly every handler ends long before its deadline. */
export class Deadlines {
  readonly #clock: Clock
  readonly #expired: (held: Held) => void
  readonly #running = new Set<Held>()
  #timer: Timer | undefined
  #armedFor = Number.POSITIVE_INFINITY

  constructor(clock: Clock, expired: (held: Held) => void) {
    this.#clock = clock
    this.#expired = expired
  }

  get size(): number {
    return this.#running.size
  }

  values(): IterableIterator<Held> {
    return this.#running.values()
  }

  add(held: Held): void {
    this.#running.add(held)
    this.#arm(held.deadline)
  }

  /** Its deadline is another one now. */
  moved(held: Held): void {
    if (this.#running.has(held)) this.#arm(held.deadline)
  }

  remove(held: Held): boolean {
    return this.#running.delete(held)
  }

  close(): void {
    this.#timer?.cancel()
    this.#armedFor = 0
  }

  #arm(at: number): void {
    if (at >= this.#armedFor) return
    this.#timer?.cancel()
    this.#armedFor = at
    this.#timer = this.#clock.after(at - this.#clock.monotonic(), () => this.#check())
  }

  #check(): void {
    this.#armedFor = Number.POSITIVE_INFINITY
    const now = this.#clock.monotonic()
    let nearest = Number.POSITIVE_INFINITY
    for (const held of this.#running) {
      if (held.deadline <= now) this.#expired(held)
      if (this.#running.has(held)) nearest = Math.min(nearest, held.deadline)
    }
    if (nearest !== Number.POSITIVE_INFINITY) this.#arm(nearest)
  }
}
