import type { Clock, Timer } from '../clock/clock.ts'
import { readable } from '../clock/duration.ts'
import type { Notice } from '../contract/transport.ts'
import { isMillraceError } from '../errors/millrace-error.ts'

const firstWait = 100
const longestWait = 5_000

/** A time in which exchanges fail: waits longer after each, and says once that it began and once that it is over. */
export class Outage {
  readonly #clock: Clock
  readonly #notice: (notice: Notice, level: 'info' | 'warn') => void
  readonly #again: () => void
  #timer: Timer | undefined
  #failures = 0
  #since = 0

  constructor(clock: Clock, notice: (notice: Notice, level: 'info' | 'warn') => void, again: () => void) {
    this.#clock = clock
    this.#notice = notice
    this.#again = again
  }

  /** Whether to wait before the next exchange. */
  get on(): boolean {
    return this.#timer !== undefined
  }

  /** An exchange failed. */
  begin(cause: unknown): void {
    if (this.#failures === 0) {
      this.#since = this.#clock.monotonic()
      this.#notice(
        { code: codeOf(cause), message: 'An exchange with the transport failed; trying again', cause },
        'warn',
      )
    }
    const wait = Math.min(firstWait * 2 ** this.#failures++, longestWait) * (0.5 + Math.random() / 2)
    this.#timer?.cancel()
    this.#timer = this.#clock.after(wait, () => {
      this.#timer = undefined
      this.#again()
    })
  }

  /** Waits no longer: a stop has no time for that. */
  cut(): void {
    if (this.#timer === undefined) return
    this.#timer.cancel()
    this.#timer = undefined
    this.#again()
  }

  /** An exchange was answered. */
  over(): void {
    if (this.#failures === 0) return
    this.#failures = 0
    const lasted = readable(this.#clock.monotonic() - this.#since)
    this.#notice({ code: 'CONNECTION_LOST', message: `The transport answers again after ${lasted}` }, 'warn')
  }

  close(): void {
    this.#timer?.cancel()
  }
}

/** A full disk is no lost connection: what the driver says is the better name. */
function codeOf(cause: unknown): Notice['code'] {
  return isMillraceError(cause) ? cause.code : 'CONNECTION_LOST'
}
