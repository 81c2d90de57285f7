import type { Clock, Timer } from '../clock/clock.ts'
import { readable } from '../clock/duration.ts'
import type { Notice } from '../contract/transport.ts'
import type { Held } from './held.ts'

/** It opens after so many failures in a row, of at least so many events, within so many milliseconds. */
const failuresToOpen = 20
const eventsToOpen = 10
const failureSpan = 30_000
/** Milliseconds until an event is tried; twice as many after each that fails, up to the longest. */
const firstRest = 5_000
const longestRest = 60_000

export interface BreakerHost {
  notice(notice: Notice): void
  /** How much may be taken has changed. Nothing: what is held and has not started is to be given back. */
  changed(): void
}

/**
 * Lets a queue rest whose handler fails all the time: what waits keeps its attempts, and other processes may have it. While it
 * is open, one event is tried now and then; the first success closes it.
 */
export class Breaker {
  readonly #clock: Clock
  readonly #host: BreakerHost
  /** asking: an event to try is to be taken. trying: it is taken. */
  #state: 'closed' | 'resting' | 'asking' | 'trying' = 'closed'
  /** When the latest failures were, at most as many as it takes to open. */
  #failures: number[] = []
  /** The events that failed of late, and when they did so last. */
  readonly #events = new Map<string, number>()
  #tried: Held | undefined
  #rest = firstRest
  #timer: Timer | undefined

  constructor(clock: Clock, host: BreakerHost) {
    this.#clock = clock
    this.#host = host
  }

  /** How many events may be taken now. */
  get room(): number {
    if (this.#state === 'closed') return Number.POSITIVE_INFINITY
    return this.#state === 'asking' ? 1 : 0
  }

  /** Whether only the passing of time makes it try an event. */
  get resting(): boolean {
    return this.#state === 'resting'
  }

  /** Whether this event may be kept that was just received. */
  admits(held: Held): boolean {
    if (this.#state === 'closed') return true
    if (this.#state !== 'asking') return false
    this.#state = 'trying'
    this.#tried = held
    this.#host.changed()
    return true
  }

  succeeded(): void {
    if (this.#state !== 'closed') this.close('an event was handled')
    else if (this.#failures.length > 0) this.#forget()
  }

  /** The handler failed, for no fault of the event that anybody could tell. */
  failed(held: Held, cause: Error): void {
    if (this.#state !== 'closed') {
      if (this.#tried !== held) return
      this.#rest = Math.min(this.#rest * 2, longestRest)
      return this.#sleep()
    }
    const now = this.#clock.monotonic()
    this.#note(held.received.id, now)
    const first = this.#failures[0] as number
    if (this.#failures.length < failuresToOpen || now - first > failureSpan) return
    if (this.#events.size < eventsToOpen) return
    this.#rest = firstRest
    this.#host.notice({
      code: 'BREAKER_OPEN',
      message: `The handlers have failed ${failuresToOpen} times in a row: nothing is taken in this process but one event to try, in ${readable(firstRest)}; the last failure`,
      cause,
    })
    this.#sleep()
  }

  /** The event is done with: if it was the one to try, and neither succeeded nor failed, another one is tried later. */
  over(held: Held): void {
    if (this.#tried === held) this.#sleep()
  }

  /** All may be taken again. */
  close(reason: string): void {
    if (this.#state === 'closed') return
    this.stop()
    this.#forget()
    this.#host.notice({ code: 'BREAKER_CLOSED', message: `All events are taken again: ${reason}` })
    this.#host.changed()
  }

  /** Ends without a word: the queue takes nothing more anyway. */
  stop(): void {
    this.#timer?.cancel()
    this.#tried = undefined
    this.#state = 'closed'
  }

  #note(id: string, now: number): void {
    if (this.#failures.push(now) > failuresToOpen) this.#failures.shift()
    // Put behind all others, so that the oldest come first.
    this.#events.delete(id)
    this.#events.set(id, now)
    for (const [event, at] of this.#events) {
      if (now - at <= failureSpan) break
      this.#events.delete(event)
    }
  }

  #forget(): void {
    this.#failures = []
    this.#events.clear()
  }

  #sleep(): void {
    this.#tried = undefined
    this.#state = 'resting'
    this.#timer = this.#clock.after(this.#rest, () => {
      this.#state = 'asking'
      this.#host.changed()
    })
    this.#host.changed()
  }
}
