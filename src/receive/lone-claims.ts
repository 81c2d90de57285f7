import type { Held } from './held.ts'
import type { LoneClaimer, LoneGate } from './lone-gate.ts'

/** What lone claims need of their subscription. */
export interface LoneHost {
  /** There is something to ask the system for. */
  wake(): void
  pump(): void
}

/** One subscription's events whose holder died: asks the gate for its turn, and keeps track of the one that runs alone. */
export class LoneClaims implements LoneClaimer {
  readonly #gate: LoneGate
  readonly #host: LoneHost
  #state: 'none' | 'wanted' | 'asked' | Held = 'none'
  #paused = false
  /** Such events are known, but nobody claims now: to be asked for at `resume`. */
  #owed = false

  constructor(gate: LoneGate, host: LoneHost) {
    this.#gate = gate
    this.#host = host
  }

  join(): void {
    this.#gate.join(this)
  }

  part(): void {
    this.#state = 'none'
    this.#gate.part(this)
  }

  pause(): void {
    this.#paused = true
    if (this.#state === 'wanted') this.#postpone()
  }

  resume(): void {
    this.#paused = false
    if (!this.#owed) return
    this.#owed = false
    this.#gate.ask(this)
  }

  /** The system says that there are such events. */
  seen(): void {
    if (this.#paused) this.#owed = true
    else this.#gate.ask(this)
  }

  claimLone(): void {
    if (this.#paused) return this.#postpone()
    this.#state = 'wanted'
    this.#host.wake()
  }

  pump(): void {
    this.#host.pump()
  }

  get wanted(): boolean {
    return this.#state === 'wanted'
  }

  /** How many to ask for in the next exchange. */
  take(): 0 | 1 {
    if (this.#state !== 'wanted') return 0
    this.#state = 'asked'
    return 1
  }

  /** That exchange broke. */
  failed(): void {
    if (this.#state === 'asked') this.claimLone()
  }

  /** That exchange brought this one. */
  started(held: Held): void {
    this.#state = held
  }

  /** That exchange was answered: if it brought nothing, the others' turn has come. */
  answered(): void {
    if (this.#state === 'asked') this.#leave()
  }

  /** The event is done with. */
  over(held: Held): void {
    if (this.#state === held) this.#leave()
  }

  #postpone(): void {
    this.#owed = true
    this.#leave()
  }

  #leave(): void {
    this.#state = 'none'
    this.#gate.leave(this)
  }
}
