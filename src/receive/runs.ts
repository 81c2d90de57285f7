import type { Clock } from '../clock/clock.ts'
import type { Bag } from '../contract/bag.ts'
import { addFailure, deadLetterRecord } from '../contract/dead-letter.ts'
import type { Settlement } from '../contract/transport.ts'
import { messageOf, MillraceError } from '../errors/millrace-error.ts'
import type { Breaker } from './breaker.ts'
import { promiseOf } from './chain.ts'
import { Deadlines, timeoutError } from './deadlines.ts'
import { aboutOf, type Held } from './held.ts'
import { Lanes } from './lanes.ts'
import type { LoneGate } from './lone-gate.ts'
import { verdictOn, type Verdict } from './outcome.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { Reporter } from '../report/reporter.ts'
import type { Transact } from './transactions.ts'
import { Waiters } from './waiters.ts'

export interface RunsParts {
  readonly runtime: QueueRuntime
  readonly clock: Clock
  /** All that the subscription holds. */
  readonly held: Bag<Held>
  readonly gate: LoneGate
  readonly reporter: Reporter
  /** undefined if the queue has none. */
  readonly breaker: Breaker | undefined
  /** Whether a retry holds its key back. */
  readonly parks: boolean
  /** What is to become of the event; it is told to the system later. */
  decide(held: Held, settlement: Settlement): void
  /** There is nothing to tell the system: the event is no longer ours. */
  forget(held: Held): void
  renewLeases(): void
  /** undefined if the queue is not transactional. */
  readonly transact: Transact | undefined
}

/** What follows it comes in a microtask, which costs less than `queueMicrotask`. */
const atOnce = Promise.resolve()

/** The handlers of one queue in this process: which may start, which run, and what becomes of their events. */
export class Runs {
  readonly #parts: RunsParts
  readonly #lanes: Lanes
  readonly #deadlines: Deadlines
  readonly #waiters = new Waiters(
    (held) => this.#handled(held),
    (held, error) => this.#failed(held, error),
  )
  /** Given up at `maxHandling`, and their handlers still go on. */
  readonly #stuck = new Set<Held>()
  readonly #giveBackSlot = (): void => this.#parts.runtime.slots.giveBack()
  readonly #pumpNow = (): void => {
    this.#pumpsSoon = false
    this.pump()
  }
  #pumping = false
  #pumpsSoon = false
  #stopping = false

  constructor(parts: RunsParts) {
    this.#parts = parts
    this.#lanes = new Lanes(parts.runtime.settings.order)
    this.#deadlines = new Deadlines(parts.clock, parts.held, (held) => this.#expired(held))
  }

  get running(): number {
    return this.#deadlines.running
  }

  /** Lets an event wait for its turn, or gives it back if its key was parked meanwhile. */
  add(held: Held): void {
    if (!this.#lanes.add(held)) this.#release(held)
  }

  /** Starts an event that is to run alone, whatever else waits. */
  startLone(held: Held): void {
    this.#start(held, this.#parts.clock.monotonic())
  }

  /** The system holds the key back itself now. */
  unpark(held: Held): void {
    this.#lanes.unpark(held)
  }

  /** Gives back everything that has not started. */
  giveBackWaiting(): void {
    for (const held of this.#lanes.drain()) if (held.state === 'waiting') this.#release(held)
  }

  /** These are somebody else's now, and what waits behind one of them in its key has to wait for him. */
  lose(list: readonly Held[]): void {
    for (const held of list) if (held.state === 'waiting') this.#parts.forget(held)
    for (const held of list) {
      for (const behind of this.#lanes.behind(held)) if (behind.state === 'waiting') this.#release(behind)
    }
  }

  /** Makes it a dead letter. */
  bury(held: Held, error: Error, attempts: number): void {
    const now = this.#parts.clock.now()
    const record = deadLetterRecord(
      error,
      attempts,
      now,
      addFailure(held.received.trail, now, messageOf(error)),
    )
    this.#parts.reporter.dead(aboutOf(held), attempts, error)
    this.#parts.decide(held, { of: held.received, as: 'dead', record })
  }

  /** Starts nothing more. What is aborted from now on is given back, not counted as failed. */
  stop(): void {
    this.#stopping = true
    this.giveBackWaiting()
    this.#parts.runtime.flushBatches()
  }

  abortAll(reason: Error): void {
    for (const held of this.#deadlines.values()) held.abort(reason)
    this.#parts.runtime.dropBatches(reason)
  }

  /** Ends the watch over time, and transactions that are still open; gives the events whose handlers still run. */
  close(): readonly Held[] {
    this.#deadlines.close()
    const left = this.#deadlines.values()
    for (const held of left) {
      this.#tellStuck(held, 'after the stop; the event comes again elsewhere when its lease has run out')
      held.endTransaction?.(new MillraceError('STOPPED', 'The app has stopped'))
    }
    return left
  }

  /** Starts what may start now. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    for (
      let held = this.#lanes.peek();
      held !== undefined && this.#parts.gate.open && !this.#stopping;
      held = this.#lanes.peek()
    ) {
      if (held.state === 'over') {
        this.#lanes.leave(this.#lanes.shift() as Held)
        continue
      }
      const now = this.#parts.clock.monotonic()
      if (now >= held.leaseEnd) {
        // Renewals came too late, so somebody else may have it by now: ask before starting.
        this.#parts.renewLeases()
        break
      }
      if (!this.#roomFor(held)) break
      this.#start(this.#lanes.shift() as Held, now)
    }
    this.#pumping = false
  }

  /** Handlers mostly end several at a time, and to start as many others in one go is cheaper than one for each. */
  #pumpSoon(): void {
    if (this.#pumping || this.#pumpsSoon) return
    this.#pumpsSoon = true
    void atOnce.then(this.#pumpNow)
  }

  /** A batch takes its slot as a whole, when it is full. */
  #roomFor(held: Held): boolean {
    if (held.route?.batch === true) return true
    if (!this.#parts.runtime.slots.tryTake()) return false
    held.leave = this.#giveBackSlot
    return true
  }

  /** The batch of the event starts: the handler's time counts from now. */
  begins(held: Held): void {
    held.deadline = this.#parts.clock.monotonic() + this.#parts.runtime.settings.maxHandling
    this.#deadlines.moved(held)
  }

  #start(held: Held, now: number): void {
    const { runtime, gate, transact } = this.#parts
    held.deadline = now + runtime.settings.maxHandling
    gate.enter()
    this.#deadlines.start(held)
    try {
      const pending = promiseOf(
        transact === undefined ? runtime.handle(held, held.route) : this.#handleIn(transact, held),
      )
      // In here, for a promise behind a proxy cannot be waited for.
      if (pending !== undefined) return this.#waiters.wait(held, pending)
    } catch (error) {
      return this.#failed(held, error)
    }
    this.#handled(held)
  }

  /** Apart, so that only transactional queues pay for the closure. */
  #handleIn(transact: Transact, held: Held): Promise<void> {
    return transact(held, () => this.#parts.runtime.handle(held, held.route))
  }

  /** Gives false if the run was over before, by `maxHandling`. */
  #ended(held: Held): boolean {
    if (!this.#deadlines.end(held)) return false
    held.leave?.()
    this.#parts.gate.exit()
    return true
  }

  #handled(held: Held): void {
    // Still gathered: a middleware hides that its batch was dropped at a stop. No handler has seen the event.
    if (held.timedOut || held.gathered) return this.#failed(held, undefined)
    if (!this.#ended(held)) return
    this.#parts.decide(held, { of: held.received, as: 'ack' })
    this.#lanes.leave(held)
    this.#parts.breaker?.succeeded()
    this.#pumpSoon()
  }

  #failed(held: Held, thrown: unknown): void {
    if (!this.#ended(held)) return void this.#stuck.delete(held)
    if (held.lost) {
      this.#parts.forget(held)
      this.#lanes.leave(held)
    } else if (this.#stopping && held.aborted && !held.timedOut) {
      this.#release(held)
      this.#lanes.leave(held)
    } else {
      this.#judge(held, held.timedOut ? timeoutError(this.#parts.runtime.settings.maxHandling) : thrown)
    }
    this.#pumpSoon()
  }

  #judge(held: Held, thrown: unknown): void {
    const { received } = held
    const verdict = verdictOn(thrown, received.attempt, this.#parts.runtime.settings.retry)
    if (verdict.as === 'dead') {
      this.bury(held, verdict.error, received.attempt)
      this.#lanes.leave(held)
    } else {
      const park = this.#parts.parks && received.key !== undefined
      this.#parts.decide(held, { ...this.#again(held, verdict), ...(park && { park }) })
      if (park) for (const behind of this.#lanes.park(held)) this.#release(behind)
      else this.#lanes.leave(held)
    }
    if (verdict.handlerFailed && !held.failedAlong && !this.#stopping)
      this.#parts.breaker?.failed(held, verdict.error)
  }

  #again(held: Held, { as, delay, error }: Verdict): Settlement {
    const { received } = held
    if (as === 'release') return { of: received, as: 'release', delay }
    this.#parts.reporter.failed(aboutOf(held), received.attempt, delay, error)
    const trail = addFailure(received.trail, this.#parts.clock.now(), messageOf(error))
    return { of: received, as: 'retry', delay, trail }
  }

  #release(held: Held): void {
    this.#parts.decide(held, { of: held.received, as: 'release' })
  }

  #expired(held: Held): void {
    const { clock, runtime } = this.#parts
    if (held.timedOut) return this.#giveUp(held)
    held.timedOut = true
    held.abort(timeoutError(runtime.settings.maxHandling))
    // It may still end by itself; but the failure must be written while the lease is ours.
    held.deadline = Math.max(clock.monotonic(), held.leaseEnd - runtime.settings.lease / 5)
  }

  /** Its slot goes to others, or a queue would come to a halt with the last one. */
  #giveUp(held: Held): void {
    this.#stuck.add(held)
    this.#tellStuck(
      held,
      `after maxHandling; such handlers of the queue, beyond its concurrency: ${this.#stuck.size}`,
    )
    this.#failed(held, undefined)
    held.endTransaction?.(timeoutError(this.#parts.runtime.settings.maxHandling))
  }

  #tellStuck(held: Held, when: string): void {
    const message = `its handler goes on though its signal was aborted, ${when}`
    this.#parts.reporter.notice({ ...aboutOf(held), code: 'HANDLER_STUCK', message })
  }
}
