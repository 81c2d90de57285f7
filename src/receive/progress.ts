import { systemClock } from '../clock/clock.ts'

/** Lets a stop wait until something is so, looking again whenever something has happened. */
export class Progress {
  #wake: (() => void) | undefined

  happened(): void {
    this.#wake?.()
  }

  /** In real time, whatever clock handlers live by: a stop is a promise to whoever waits for the process to end. */
  async until(done: () => boolean, deadline: number): Promise<void> {
    while (!done()) {
      const left = deadline - systemClock.monotonic()
      if (left <= 0) return
      await new Promise<void>((resolve) => {
        const timer = systemClock.after(left, resolve)
        this.#wake = () => {
          timer.cancel()
          resolve()
        }
      })
    }
  }
}
