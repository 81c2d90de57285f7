import type { Clock, Timer } from '../clock/clock.ts'
import { readable } from '../clock/duration.ts'
import type { Notice } from '../contract/transport.ts'
import { isMillraceError } from '../errors/millrace-error.ts'

const firstWait = 100
const longestWait = 5_000

/** What is said of an outage. */
export interface OutageWords {
  readonly began: string
  /** Followed by its length. */
  readonly over: string
}

const ofExchanges: OutageWords = {
  began: 'An exchange with the transport failed; trying again',
  over: 'The transport answers again after',
}

/** A time in which something fails again and again: waits longer after each, and says once that it began and once that it is over. */
export class Outage {
  readonly #clock: Clock
  readonly #notice: (notice: Notice, level: 'info' | 'warn') => void
  readonly #again: () => void
  readonly #words: OutageWords
  #timer: Timer | undefined
  #failures = 0
  #since = 0

  constructor(
    clock: Clock,
    notice: (notice: Notice, level: 'info' | 'warn') => void,
    again: () => void,
    words = ofExchanges,
  ) {
    this.#words = words
    this.#clock = clock
    this.#notice = notice
    this.#again = again
  }

  /** Whether to wait before the next try. */
  get on(): boolean {
    return this.#timer !== undefined
  }

  /** A try failed. */
  begin(cause: unknown): void {
    if (this.#failures === 0) {
      this.#since = this.#clock.monotonic()
      this.#notice({ code: codeOf(cause), message: this.#words.began, cause }, 'warn')
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

  /** A try succeeded. */
  over(): void {
    if (this.#failures === 0) return
    this.#failures = 0
    const lasted = readable(this.#clock.monotonic() - this.#since)
    this.#notice({ code: 'CONNECTION_LOST', message: `${this.#words.over} ${lasted}` }, 'warn')
  }

  close(): void {
    this.#timer?.cancel()
  }
}

/** A full disk is no lost connection: what the driver says is the better name. */
function codeOf(cause: unknown): Notice['code'] {
  return isMillraceError(cause) ? cause.code : 'CONNECTION_LOST'
}
