import type { Clock, Timer } from '../../clock/clock.ts'
import type { WakeUp } from './wake-up.ts'
import type { Rest } from './session.ts'

/** Waits for a hint since the session's last look, for the next look by itself, or for the signal. */
export function untilHint(wakeUp: WakeUp, rest: Rest, clock: Clock, signal: AbortSignal): Promise<void> {
  if (signal.aborted || rest.hints !== wakeUp.count) return Promise.resolve()
  return new Promise((resolve) => {
    let timer: Timer | undefined
    const done = (): void => {
      timer?.cancel()
      forget()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const forget = wakeUp.onHint(done)
    signal.addEventListener('abort', done, { once: true })
    timer = clock.after(Math.max(rest.until - clock.monotonic(), 1), done)
  })
}
