import type { Clock, Timer } from './clock.ts'

/** A clock whose works can be exchanged before anybody has looked at it: how a test puts an app on a manual clock. */
export class ReplaceableClock implements Clock {
  #works: Clock

  constructor(works: Clock) {
    this.#works = works
  }

  replace(works: Clock): void {
    this.#works = works
  }

  now(): number {
    return this.#works.now()
  }

  monotonic(): number {
    return this.#works.monotonic()
  }

  after(ms: number, run: () => void): Timer {
    return this.#works.after(ms, run)
  }
}
