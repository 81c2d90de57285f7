import type { Clock } from '../../clock/clock.ts'
import type { Rest } from './session.ts'
import type { WakeUp } from './wake-up.ts'

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
