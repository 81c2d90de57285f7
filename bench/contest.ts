import type { Run, Spent } from './row.ts'

/** So that the next attempt is surely long enough. */
const margin = 1.15
const steepest = 10
/** One of so many events goes before the clock starts. */
const warmUp = 5

/** One window, per event. */
export interface Pace {
  readonly perSecond: number
  /** Microseconds. */
  readonly cpu: number | undefined
}

/** Runs that are compared: each does so many events that no window is shorter than `least` milliseconds. */
export class Contest {
  readonly #runs: readonly Run[]
  readonly #least: number
  /** Events in a window of each run. The fastest would otherwise make the others' windows as many times longer as it is faster. */
  readonly #counts: number[]
  #rounds = 0

  constructor(runs: readonly Run[], least: number) {
    this.#runs = runs
    this.#least = least
    this.#counts = runs.map(() => 1_000)
  }

  /**
   * One window of each. Who begins changes with every round. The short attempts by which the number of events is found warm
   * the code up.
   */
  async round(): Promise<readonly Pace[]> {
    const order = this.#runs.map((_, n) => n)
    if (this.#rounds++ % 2 === 1) order.reverse()
    for (;;) {
      const windows: Spent[] = []
      for (const n of order) windows[n] = await this.#window(n)
      if (windows.every(({ wall }) => wall >= this.#least)) {
        return windows.map((spent, n) => paceOf(spent, this.#counts[n]!))
      }
      windows.forEach(({ wall }, n) => {
        if (wall >= this.#least) return
        this.#counts[n] = Math.ceil(this.#counts[n]! * Math.min((this.#least * margin) / wall, steepest))
      })
    }
  }

  /**
   * The garbage of one must not be paid by the next. V8 throws compiled code away with it, of both sides; what the window measures is
   * a process that has run for a while, so some events before it bring that back.
   */
  async #window(n: number): Promise<Spent> {
    globalThis.gc?.()
    const count = this.#counts[n]!
    await this.#runs[n]!(Math.ceil(count / warmUp))
    const work = await this.#runs[n]!(count)
    if (work.events !== count) {
      throw new Error(`Run ${n + 1} of ${this.#runs.length} did ${work.events} events instead of ${count}`)
    }
    return work
  }
}

function paceOf({ wall, cpu }: Spent, count: number): Pace {
  return { perSecond: (count / wall) * 1_000, cpu: cpu === undefined ? undefined : (cpu / count) * 1_000 }
}
