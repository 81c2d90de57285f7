import type { Clock, Timer } from '../clock/clock.ts'
import type { Bag } from '../contract/bag.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Held } from './held.ts'

export function timeoutError(maxHandling: number): MillraceError {
  return new MillraceError('HANDLING_TIMEOUT', `The handler ran longer than maxHandling (${maxHandling} ms)`)
}

/**
 * Watches how long handlers run. One timer for all of a queue: nearly every handler ends long before its deadline, so those
 * that run are looked for among all that is held only when one is due.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #held: Bag<Held>
  readonly #expired: (held: Held) => void
  readonly #look = (): void => this.#check()
  #running = 0
  #timer: Timer | undefined
  #armedFor = Number.POSITIVE_INFINITY

  constructor(clock: Clock, held: Bag<Held>, expired: (held: Held) => void) {
    this.#clock = clock
    this.#held = held
    this.#expired = expired
  }

  /** How many run. */
  get running(): number {
    return this.#running
  }

  /** Those that run. */
  values(): readonly Held[] {
    return this.#held.values().filter(({ state }) => state === 'running')
  }

  start(held: Held): void {
    held.state = 'running'
    this.#running++
    this.#arm(held.deadline)
  }

  /** Its deadline is another one now. */
  moved(held: Held): void {
    if (held.state === 'running') this.#arm(held.deadline)
  }

  /** Gives false if its run was over before. */
  end(held: Held): boolean {
    if (held.state !== 'running') return false
    held.state = 'settling'
    this.#running--
    return true
  }

  close(): void {
    this.#timer?.cancel()
    this.#armedFor = 0
  }

  #arm(at: number): void {
    if (at >= this.#armedFor) return
    this.#timer?.cancel()
    this.#armedFor = at
    this.#timer = this.#clock.after(at - this.#clock.monotonic(), this.#look)
  }

  #check(): void {
    this.#armedFor = Number.POSITIVE_INFINITY
    const now = this.#clock.monotonic()
    let nearest = Number.POSITIVE_INFINITY
    for (const held of this.values()) {
      if (held.deadline <= now) this.#expired(held)
      if (held.state === 'running') nearest = Math.min(nearest, held.deadline)
    }
    if (nearest !== Number.POSITIVE_INFINITY) this.#arm(nearest)
  }
}
