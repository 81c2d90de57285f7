import { systemClock } from '../clock/clock.ts'
import { within } from '../clock/within.ts'
import type { Notice } from '../contract/transport.ts'

/** Lets a stop wait until something is so, looking again whenever something has happened. */
export class Progress {
  readonly #wakes = new Set<() => void>()

  happened(): void {
    if (this.#wakes.size === 0) return // nobody waits, nearly always: an iterator for each event would be garbage
    for (const wake of this.#wakes) wake()
  }

  /** In real time, whatever clock handlers live by: a stop is a promise to whoever waits for the process to end. */
  async until(done: () => boolean, deadline: number): Promise<void> {
    while (!done()) {
      const left = deadline - systemClock.monotonic()
      if (left <= 0) return
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          timer.cancel()
          this.#wakes.delete(wake)
          resolve()
        }
        const timer = systemClock.after(left, wake)
        this.#wakes.add(wake)
      })
    }
  }
}

/** A step of a stop: if it fails, or is not done at `deadline` (monotonic), that is noticed and the next one comes all the same. */
export async function stopStep(
  step: () => Promise<void>,
  deadline: number,
  notice: (notice: Notice) => void,
): Promise<void> {
  try {
    if (await within(step(), deadline - systemClock.monotonic())) return
    notice({ code: 'CONNECTION_LOST', message: 'The transport did not answer in time at the stop' })
  } catch (cause) {
    notice({ code: 'CONNECTION_LOST', message: 'The transport failed at the stop', cause })
  }
}
