import type { Clock, Timer } from '../clock/clock.ts'

/** How long running handlers may hold up the return of an event whose process died. */
const patience = 3_000

/** A subscription that knows of events whose lease ran out. */
export interface LoneClaimer {
  /** Nothing else runs in this process: claim one lapsed event, and call `leave` when it is settled or there was none. */
  claimLone(): void
  /** The gate is open again. */
  pump(): void
}

/**
 * Lets an event whose process died run alone in this process. If it kills this one too, no neighbour shares the blame:
 * only crashes in a lone claim count as attempts. Between two lone events all others get their turn.
 */
export class LoneGate {
  readonly #clock: Clock
  readonly #members = new Set<LoneClaimer>()
  readonly #asking: LoneClaimer[] = []
  #running = 0
  #claimer: LoneClaimer | undefined
  #started = false
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether ordinary events may start. */
  get open(): boolean {
    return this.#claimer === undefined
  }

  /** Handlers under way, those of every queue of this process. */
  get running(): number {
    return this.#running
  }

  join(member: LoneClaimer): void {
    this.#members.add(member)
  }

  /** A handler starts. */
  enter(): void {
    this.#running++
  }

  /** A handler has ended. */
  exit(): void {
    this.#running--
    if (this.#running === 0) this.#start()
  }

  /** Asks for a lone claim; while one's own is under way, for another one after it. Asking twice is asking once. */
  ask(claimer: LoneClaimer): void {
    if (this.#asking.includes(claimer)) return
    this.#asking.push(claimer)
    this.#next()
  }

  /** The lone event is done with. */
  leave(claimer: LoneClaimer): void {
    if (this.#claimer !== claimer) return
    this.#claimer = undefined
    this.#started = false
    this.#timer?.cancel()
    for (const member of this.#members) member.pump()
    this.#next()
  }

  /** The subscription is closing. */
  part(member: LoneClaimer): void {
    this.#members.delete(member)
    const at = this.#asking.indexOf(member)
    if (at !== -1) this.#asking.splice(at, 1)
    this.leave(member)
  }

  #next(): void {
    if (this.#claimer !== undefined) return
    this.#claimer = this.#asking.shift()
    if (this.#claimer === undefined) return
    if (this.#running === 0) this.#start()
    // A handler may run for minutes; the dead process's events must not wait for that.
    else this.#timer = this.#clock.after(patience, () => this.#start())
  }

  #start(): void {
    if (this.#claimer === undefined || this.#started) return
    this.#started = true
    this.#timer?.cancel()
    this.#claimer.claimLone()
  }
}
