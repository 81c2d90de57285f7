import type { Clock, Timer } from './clock.ts'

/** A clock that stands still until it is told to move: for tests. */
export interface ManualClock extends Clock {
  /** When the next timer is due, in milliseconds from now; undefined if there is none. */
  readonly nextIn: number | undefined
  /** Moves both clocks on and runs the timers that became due, in their order. */
  advance(ms: number): void
}

/** A manual clock that begins at the present time. */
export function manualClock(start: number = Date.now()): ManualClock {
  let elapsed = 0
  const timers = new Set<{ at: number; run: () => void }>()
  const earliest = (): { at: number; run: () => void } | undefined => {
    let first: { at: number; run: () => void } | undefined
    for (const timer of timers) if (first === undefined || timer.at < first.at) first = timer
    return first
  }
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(ms, run): Timer {
      const timer = { at: elapsed + Math.max(ms, 0), run }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    get nextIn() {
      const first = earliest()
      return first === undefined ? undefined : Math.max(first.at - elapsed, 0)
    },
    advance(ms) {
      const end = elapsed + ms
      for (let timer = earliest(); timer !== undefined && timer.at <= end; timer = earliest()) {
        elapsed = Math.max(elapsed, timer.at)
        timers.delete(timer)
        timer.run()
      }
      elapsed = end
    },
  }
}
