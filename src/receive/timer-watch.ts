import type { Clock, Timer } from '../clock/clock.ts'
import { readable } from '../clock/duration.ts'
import type { Notice } from '../contract/transport.ts'

/** From a handler's run until timers are counted again, in milliseconds. To count 100,000 of them takes one. */
const pace = 10_000
/** The least of so many counts stands for all of them: timers that come and go are not in it. */
const countsOfWindow = 3
/** In so many windows after the first there must be more. */
const rises = 4
/** Fewer harm nobody, and may belong to anybody. */
const fewest = 200
/** A window in which handlers ran more often than that for each timer is none in which they leave timers behind. */
const runsOfTimer = 10
/** As many as a handler that runs may well have. */
const timersOfHandler = 10

interface Window {
  readonly least: number
  /** Runs and time until its end. */
  readonly runs: number
  readonly at: number
}

/**
 * Notices that handlers leave timers behind. Nobody can tell whose a timer is; so it speaks only when the process has more
 * and more of them for minutes, in step with the runs of handlers. Timers that do not keep the process alive are not seen.
 */
export class TimerWatch {
  readonly #clock: Clock
  readonly #running: () => number
  readonly #notice: (notice: Notice) => void
  readonly #look = (): void => this.#count()
  #runs = 0
  #timer: Timer | undefined
  #counts = 0
  #least = Infinity
  /** The window before the first rise, and the last one. */
  #base: Window = { least: Infinity, runs: 0, at: 0 }
  #last = this.#base
  #risen = 0
  /** How many timers there were when it was last said. */
  #told = 0

  /** @param parts.running handlers under way: their timers may well end with them */
  constructor(parts: { clock: Clock; running: () => number; notice: (notice: Notice) => void }) {
    this.#clock = parts.clock
    this.#running = parts.running
    this.#notice = parts.notice
  }

  /** A handler is run. */
  ran(): void {
    this.#runs++
    this.#timer ??= this.#clock.after(pace, this.#look)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #count(): void {
    this.#timer = undefined
    this.#least = Math.min(this.#least, activeTimers())
    if (++this.#counts < countsOfWindow) return
    this.#judge({ least: this.#least, runs: this.#runs, at: this.#clock.monotonic() })
    this.#counts = 0
    this.#least = Infinity
  }

  #judge(window: Window): void {
    const { least, runs } = this.#last
    this.#last = window
    if (window.least <= this.#told / 2) this.#told = 0
    if ((window.least - least) * runsOfTimer < window.runs - runs) {
      this.#base = window
      this.#risen = 0
      return
    }
    this.#risen++
    const left = window.least - this.#base.least
    const enough = left >= fewest && left > this.#running() * timersOfHandler
    if (this.#risen >= rises && enough && window.least >= this.#told * 2) this.#tell(left)
  }

  #tell(left: number): void {
    this.#told = this.#last.least
    const ago = readable(this.#last.at - this.#base.at)
    const ran = this.#last.runs - this.#base.runs
    const message = `Handlers leave timers behind: ${left} more than ${ago} ago, and handlers ran ${ran} times`
    this.#notice({ code: 'TIMERS_LEAKED', message: `${message}; clear them in \`finally\`` })
  }
}

/** Those that keep the process alive. 0 where the platform does not tell. */
function activeTimers(): number {
  let timers = 0
  for (const resource of process.getActiveResourcesInfo?.() ?? []) if (resource === 'Timeout') timers++
  return timers
}
