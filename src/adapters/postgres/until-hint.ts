import type { Clock } from '../../clock/clock.ts'
import type { WakeUp } from './wake-up.ts'

/** What the session saw when there was nothing more to take. */
export interface Rest {
  /** The wake-up's count then. */
  readonly hints: number
  /** When to look again, by the monotonic clock. */
  readonly until: number
}

/** Waits for a hint since the session's last look, until something is due or it is time to look, or for the signal. */
export function untilHint(
  wakeUp: WakeUp,
  queue: number,
  rest: Rest,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || rest.hints !== wakeUp.count(queue)) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel()
      forget()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const forget = wakeUp.onHint(queue, done)
    signal.addEventListener('abort', done, { once: true })
    const wait = Math.min(rest.until - clock.monotonic(), wakeUp.pollEvery)
    const timer = clock.after(Math.max(wait, 1), done)
  })
}
