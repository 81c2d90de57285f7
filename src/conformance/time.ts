import { pause, systemClock, type Clock } from '../clock/clock.ts'
import type { ManualClock } from '../clock/manual-clock.ts'

/** Time as a case lets it pass: real, or by a clock that the suite moves. */
export class Time {
  readonly clock: Clock
  readonly #manual: ManualClock | undefined
  readonly #patience: number

  /** @param patience of one wait, in milliseconds of real time */
  constructor(manual: ManualClock | undefined, patience: number) {
    this.clock = manual ?? systemClock
    this.#manual = manual
    this.#patience = patience
  }

  /** Lets time pass, and what becomes due on the way happen. */
  async pass(ms: number): Promise<void> {
    if (this.#manual === undefined) return await pause(this.clock, ms)
    for (let left = ms; left > 0; await nextTurn()) {
      const step = Math.min(this.#manual.nextIn ?? left, left)
      this.#manual.advance(step)
      left -= step
    }
    await nextTurn()
  }

  /** Lets time pass in which this process does nothing: a blocked event loop, a frozen machine. */
  standStill(ms: number): void {
    if (this.#manual !== undefined) return this.#manual.advance(ms)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  }

  /** What the promise resolves to. Fails if that takes too long; by a manual clock, what it waits for are the next timers. */
  async soon<T>(what: string, promise: Promise<T>): Promise<T> {
    const end = performance.now() + this.#patience
    const settled = promise.then(
      () => true,
      () => true,
    )
    const isSettled = (): Promise<boolean> => Promise.race([settled, this.#turn()])
    for (; !(await isSettled()); this.#manual?.advance(this.#manual.nextIn ?? 0))
      if (performance.now() > end) throw new Error(`Waited ${this.#patience} ms for ${what}`)
    return await promise
  }

  async #turn(): Promise<false> {
    if (this.#manual === undefined) await pause(this.clock, 20)
    await nextTurn()
    return false
  }

  /** Does something that has to be done within `ms`, again and again until it was: this machine may be busy. */
  async within<T>(ms: number, work: () => Promise<T>): Promise<T> {
    const end = performance.now() + this.#patience
    for (;;) {
      const began = this.clock.monotonic()
      const result = await work()
      if (this.clock.monotonic() - began < ms) return result
      if (performance.now() > end)
        throw new Error(`What has to be done within ${ms} ms takes longer each time`)
    }
  }
}

/** Lets input, output and timers have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** For a promise that is awaited later: until then its failure is nobody's. */
export function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

let lastName = 0

/** A name that no other test of any run uses. */
export function newName(what: string): string {
  return `${what}-${Date.now().toString(36)}-${process.pid}-${++lastName}`
}
