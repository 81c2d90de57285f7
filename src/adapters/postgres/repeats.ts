import type { Clock } from '../../clock/clock.ts'

/** In milliseconds. */
const likelyFor = 600_000

/**
 * Whether events come that are in their queues already. To write rows that may be there costs the server a fifth more than to write
 * rows that are surely new; to have been wrong about that costs a statement that fails, and a line in the server's log. They seldom
 * come, and if so, then several times: from who repeats what was of unknown outcome, or makes ids of what may happen twice.
 */
export class Repeats {
  readonly #clock: Clock
  #until = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get likely(): boolean {
    return this.#clock.monotonic() < this.#until
  }

  seen(): void {
    this.#until = this.#clock.monotonic() + likelyFor
  }
}
