import type { Clock, Timer } from '../../clock/clock.ts'
import type { EventFile } from './event-file.ts'
import type { Rest } from './session.ts'

/**
 * Waits until something has changed since the session's last look, until something is due, or for the signal. What woke it
 * is only a hint; the next exchange looks.
 */
export function untilHint(file: EventFile, rest: Rest, clock: Clock, signal: AbortSignal): Promise<void> {
  const { database, wakeUp } = file
  if (signal.aborted || rest.hints !== wakeUp.count) return Promise.resolve()
  return new Promise((resolve) => {
    let timer: Timer | undefined
    let forget: (() => void) | undefined
    const done = (): void => {
      timer?.cancel()
      forget?.()
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })

    // Wall time can step, and a crash can lie between a commit and its announcement: so look up now and then.
    const { due = Infinity, over = Infinity } = rest
    const isOver = (): boolean => clock.now() >= due || clock.monotonic() >= over || hasChanged()
    const hasChanged = (): boolean => {
      try {
        return database.changes() !== rest.changes
      } catch {
        return true // The exchange that follows meets the error too, and reports it.
      }
    }
    const wait = (): void => {
      const next = Math.min(wakeUp.pollEvery, due - clock.now(), over - clock.monotonic())
      timer = clock.after(Math.max(next, 1), () => (isOver() ? done() : wait()))
    }
    forget = wakeUp.onHint(done)
    wait()
  })
}
