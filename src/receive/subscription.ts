import { systemClock, type Clock } from '../clock/clock.ts'
import { milliseconds, type Duration } from '../clock/duration.ts'
import { addFailure, deadLetterRecord, type DeadLetterRecord } from '../contract/dead-letter.ts'
import type { ExchangeResult, Notice, Received, Session, Settlement, Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { Deadlines } from './deadlines.ts'
import { Held, type Holder } from './held.ts'
import { Lanes } from './lanes.ts'
import { Leases } from './leases.ts'
import type { LoneClaimer, LoneGate } from './lone-gate.ts'
import { Outage } from './outage.ts'
import { verdictOn, type Verdict } from './outcome.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { Reporter } from './reporter.ts'
import { Settler, settlementOf, type SettlerEvents } from './settler.ts'

/** Work that may lie ready in this process, in milliseconds of handling: more would be withheld from other processes. */
const readyWork = 500
/** Time for handlers to notice that their signal was aborted, and for the last settlements, at a stop. */
const graceForHandlers = 500
const graceForSettling = 1_000

export interface SubscriptionParts {
  readonly runtime: QueueRuntime
  readonly transport: Transport
  readonly clock: Clock
  readonly gate: LoneGate
  readonly reporter: Reporter
  readonly onDead: (received: Received, record: DeadLetterRecord) => void
}

/**
 * One queue's consumer in this process: claims, starts handlers as concurrency and keys allow, settles, renews leases.
 * Everything it does with the session happens in one tick per turn of the event loop, so that settlements and claims of
 * that turn share an exchange.
 */
export class Subscription implements Holder, LoneClaimer, SettlerEvents {
  readonly queue: string
  readonly #parts: SubscriptionParts
  readonly #held = new Set<Held>()
  readonly #lanes: Lanes
  readonly #settler: Settler
  readonly #deadlines: Deadlines
  readonly #leases: Leases
  readonly #outage: Outage
  readonly #parks: boolean
  readonly #ending = new AbortController()
  #session!: Session
  #claiming = true
  #stopping = false
  #closed = false
  #scheduled = false
  #pumping = false
  /** The last claim brought less than was asked for, and nothing was announced since. */
  #dry = false
  #busy = 0
  #lone: 'none' | 'wanted' | 'asked' | Held = 'none'
  #settledSince = 0
  #rateAt = 0
  #rate = 0
  #wake: (() => void) | undefined

  constructor(parts: SubscriptionParts) {
    const { runtime, transport, clock, reporter } = parts
    this.#parts = parts
    this.queue = runtime.name
    this.#lanes = new Lanes(runtime.settings.order)
    this.#parks = runtime.settings.order && (runtime.settings.onRetry ?? transport.features.onRetry[0]) === 'park'
    this.#settler = new Settler(clock, this)
    this.#deadlines = new Deadlines(clock, (held) => this.#expired(held))
    this.#leases = new Leases({
      clock,
      lease: runtime.settings.lease,
      held: this.#held,
      session: () => this.#session,
      lost: (held) => this.#lose(held),
      notice: (notice) => this.#notice(notice),
      renewed: () => this.pump(),
    })
    this.#outage = new Outage(clock, (notice, level) => reporter.notice({ ...notice, queue: this.queue }, level), () => this.#tickSoon())
  }

  async open(): Promise<void> {
    const { runtime, transport, clock, gate } = this.#parts
    this.#session = await transport.open(this.queue, {
      lease: runtime.settings.lease,
      order: runtime.settings.order,
      clock,
      notice: (notice) => this.#notice(notice),
      onRevoke: () => this.#giveBackWaiting(),
      onLost: (list) => this.#loseAll(list),
    })
    this.#rateAt = clock.monotonic()
    gate.join(this)
    this.#leases.start()
    this.#tickSoon()
  }

  pause(): void {
    this.#claiming = false
    this.#giveBackWaiting()
  }

  resume(): void {
    this.#claiming = !this.#stopping
    this.#tickSoon()
  }

  /** Takes nothing new, waits for handlers until `deadline` (monotonic), then aborts them, and settles what it can. */
  async stop(deadline: number): Promise<void> {
    this.#stopping = true
    this.#claiming = false
    this.#parts.gate.part(this)
    await this.#session.quiesce()
    this.#giveBackWaiting()
    await this.#until(() => this.#deadlines.size === 0, deadline)
    for (const held of this.#deadlines.values()) held.abort(new MillraceError('STOPPING', 'The app is stopping'))
    await this.#until(() => this.#deadlines.size === 0, deadline + graceForHandlers)
    const end = deadline + graceForHandlers + graceForSettling
    await this.#until(() => this.#settler.open === 0, end)
    this.#closed = true
    this.#ending.abort()
    this.#leases.stop()
    this.#settler.close()
    this.#outage.close()
    this.#deadlines.close()
    // Handlers that ignore their signal keep their lease, so that nobody else runs the same event beside them.
    await this.#session.close({ keep: [...this.#deadlines.values()].map((held) => held.received) })
  }

  // ---- claiming ----

  #tickSoon(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#tick()
    })
  }

  #tick(): void {
    if (this.#closed || this.#outage.on || this.#busy >= this.#session.pulls) return
    const max = this.#wanted()
    const lapsed = this.#lone === 'wanted' && !this.#stopping
    if (max === 0 && !lapsed) {
      const list = this.#settler.take()
      if (list.length > 0) void this.#settle(list)
      return
    }
    if (lapsed) this.#lone = 'asked'
    void this.#exchange(max, lapsed ? 1 : 0)
  }

  #wanted(): number {
    if (!this.#claiming || this.#dry || !this.#parts.gate.open) return 0
    const room = this.#target() - this.#held.size
    return room >= Math.min(this.#target() / 2, this.#session.claim) ? Math.min(room, this.#session.claim) : 0
  }

  /** How many events to hold: what was asked for, else what the handlers get through in a moment. */
  #target(): number {
    const { settings, largestBatch } = this.#parts.runtime
    if (settings.prefetch !== undefined) return settings.prefetch
    const least = Math.max(2 * settings.concurrency, 2 * largestBatch)
    return Math.max(least, Math.min(this.#session.claim, Math.ceil(this.#rate * readyWork)))
  }

  #measure(now: number): void {
    const elapsed = now - this.#rateAt
    if (elapsed < 1) return
    this.#rate = (this.#rate + this.#settledSince / elapsed) / 2
    this.#rateAt = now
    this.#settledSince = 0
  }

  async #exchange(max: number, lapsed: number): Promise<void> {
    const list = this.#settler.take()
    const began = this.#parts.clock.monotonic()
    this.#measure(began)
    this.#busy++
    let result: ExchangeResult
    try {
      result = await this.#session.exchange({ settle: list.map(settlementOf), max, ...(lapsed > 0 && { lapsed }) })
    } catch (error) {
      if (lapsed > 0) this.#lone = 'wanted'
      return this.#broken(list, error)
    } finally {
      this.#busy--
    }
    this.#outage.over()
    this.#settler.answer(list, result.settled)
    let ordinary = 0
    for (const received of result.received) {
      if (!received.lapsed) ordinary++
      this.#take(received, began + this.#parts.runtime.settings.lease)
    }
    if (this.#lone === 'asked' && lapsed > 0) this.#leaveLone()
    if (result.lapsed === true && this.#claiming) this.#parts.gate.ask(this)
    if (max > 0 && ordinary < max) this.#awaitNews()
    this.pump()
    this.#tickSoon()
  }

  async #settle(list: readonly Held[]): Promise<void> {
    this.#busy++
    try {
      await this.#settler.send(this.#session, list)
    } catch (error) {
      return this.#broken(list, error)
    } finally {
      this.#busy--
    }
    this.#outage.over()
    this.#tickSoon()
  }

  #broken(list: readonly Held[], error: unknown): void {
    this.#settler.failed(list)
    if (!this.#closed) this.#outage.begin(error)
  }

  #awaitNews(): void {
    if (this.#dry) return
    this.#dry = true
    void this.#session.ready(this.#ending.signal).then(() => {
      this.#dry = false
      this.#tickSoon()
    })
  }

  #take(received: Received, leaseEnd: number): void {
    const { runtime, transport } = this.#parts
    const held = new Held(received, runtime.find(received.type), leaseEnd, this)
    this.#held.add(held)
    if (!this.#claiming) return this.#decide(held, { of: received, as: 'release' })
    if (received.attempt > runtime.settings.retry.attempts) return this.#crashedTooOften(held)
    if (held.route === undefined && !transport.features.filters && !runtime.subscribes(received.type)) {
      return this.#decide(held, { of: received, as: 'ack' })
    }
    if (received.lapsed) {
      this.#lone = held
      return this.#start(held)
    }
    if (!this.#lanes.add(held)) this.#decide(held, { of: received, as: 'release' })
  }

  // ---- handling ----

  /** Starts what may start now. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    for (let held = this.#lanes.peek(); held !== undefined && this.#parts.gate.open && !this.#stopping; held = this.#lanes.peek()) {
      if (held.state === 'over') this.#lanes.leave(this.#lanes.shift() as Held)
      else if (this.#parts.clock.monotonic() >= held.leaseEnd) {
        // Renewals came too late, so somebody else may have it by now: ask before starting.
        this.#leases.renewNow()
        break
      } else if (held.route?.batch === true || this.#parts.runtime.slots.tryTake()) this.#start(this.#lanes.shift() as Held)
      else break
    }
    this.#pumping = false
    this.#tickSoon()
  }

  #start(held: Held): void {
    const { runtime, clock, gate } = this.#parts
    held.state = 'running'
    held.deadline = clock.monotonic() + runtime.settings.maxHandling
    gate.enter()
    this.#deadlines.add(held)
    let result: unknown
    try {
      result = runtime.handle(held, held.route)
    } catch (error) {
      return this.#failed(held, error)
    }
    if (!isThenable(result)) return this.#handled(held)
    result.then(
      () => this.#handled(held),
      (error: unknown) => this.#failed(held, error),
    )
  }

  /** Gives false if the run was over before, by `maxHandling`. */
  #ended(held: Held): boolean {
    if (!this.#deadlines.remove(held)) return false
    if (held.route?.batch !== true && held !== this.#lone) this.#parts.runtime.slots.giveBack()
    this.#parts.gate.exit()
    return true
  }

  #handled(held: Held): void {
    if (held.timedOut) return this.#failed(held, undefined)
    if (!this.#ended(held)) return
    this.#decide(held, { of: held.received, as: 'ack' })
    this.#lanes.leave(held)
    this.pump()
  }

  #failed(held: Held, thrown: unknown): void {
    if (!this.#ended(held)) return
    if (held.lost) {
      this.#forget(held)
      this.#lanes.leave(held)
    } else if (this.#stopping && held.aborted && !held.timedOut) {
      this.#decide(held, { of: held.received, as: 'release' })
      this.#lanes.leave(held)
    } else {
      this.#judge(held, held.timedOut ? timeoutError(this.#parts.runtime.settings.maxHandling) : thrown)
    }
    this.pump()
  }

  #judge(held: Held, thrown: unknown): void {
    const { received } = held
    const verdict = verdictOn(thrown, received.attempt, this.#parts.runtime.settings.retry)
    if (verdict.as === 'dead') {
      this.#bury(held, verdict.error, received.attempt)
      return this.#lanes.leave(held)
    }
    const park = this.#parks && verdict.delay > 0 && received.key !== undefined
    this.#decide(held, { ...this.#again(held, verdict), ...(park && { park }) })
    if (park) for (const behind of this.#lanes.park(held)) this.#decide(behind, { of: behind.received, as: 'release' })
    else this.#lanes.leave(held)
  }

  #again(held: Held, { as, delay, error }: Verdict): Settlement {
    const { received } = held
    if (as === 'release') return { of: received, as: 'release', delay }
    this.#parts.reporter.failed(aboutOf(held), received.attempt, delay, error)
    const trail = addFailure(received.trail, this.#parts.clock.now(), error.message)
    return { of: received, as: 'retry', delay, trail }
  }

  #bury(held: Held, error: Error, attempts: number): void {
    const now = this.#parts.clock.now()
    const record = deadLetterRecord(error, attempts, now, addFailure(held.received.trail, now, error.message))
    this.#parts.reporter.dead(aboutOf(held), attempts, error)
    this.#decide(held, { of: held.received, as: 'dead', record })
  }

  #crashedTooOften(held: Held): void {
    const attempts = held.received.attempt - 1
    this.#bury(held, new MillraceError('CRASHED', `The process that handled it ended before it was settled`), attempts)
  }

  #decide(held: Held, settlement: Settlement): void {
    this.#settler.add(held, settlement)
  }

  #expired(held: Held): void {
    const { clock, runtime } = this.#parts
    if (held.timedOut) return this.#failed(held, undefined)
    held.timedOut = true
    held.abort(timeoutError(runtime.settings.maxHandling))
    // It may still end by itself; but the failure must be written while the lease is ours.
    held.deadline = Math.max(clock.monotonic(), held.leaseEnd - runtime.settings.lease / 5)
  }

  // ---- lone claims ----

  claimLone(): void {
    this.#lone = 'wanted'
    this.#tickSoon()
  }

  #leaveLone(): void {
    this.#lone = 'none'
    this.#parts.gate.leave(this)
  }

  // ---- settling ----

  ready(): void {
    this.#tickSoon()
  }

  settled(held: Held, result: 'done' | 'gone' | 'lost'): void {
    const settlement = held.settlement as Settlement
    this.#settledSince++
    this.#forget(held)
    if (settlement.park === true) this.#lanes.unpark(held)
    if (result === 'lost') {
      const what = settlement.as === 'ack' ? 'was handled, but not in time: it will be handled again' : 'was given to another consumer'
      this.#parts.reporter.lost(aboutOf(held), what)
    } else if (result === 'done' && settlement.record !== undefined) this.#parts.onDead(held.received, settlement.record)
    this.#tickSoon()
  }

  refused(held: Held, error: Error): void {
    this.#parts.reporter.unsettled(aboutOf(held), error)
  }

  #forget(held: Held): void {
    held.state = 'over'
    this.#held.delete(held)
    if (this.#lone === held) this.#leaveLone()
    this.#wake?.()
  }

  #giveBackWaiting(): void {
    for (const held of this.#lanes.drain()) {
      if (held.state === 'waiting') this.#decide(held, { of: held.received, as: 'release' })
    }
  }

  // ---- leases ----

  async extend(held: Held, by: Duration): Promise<void> {
    const ms = milliseconds(by, 'by')
    const began = this.#parts.clock.monotonic()
    const reach = Math.max(ms, this.#parts.runtime.settings.lease)
    const [result] = await this.#session.extend([held.received], reach)
    if (result === 'lost') {
      this.#lose(held)
      throw new MillraceError('LEASE_LOST', `The lease of the event ${held.received.id} is lost`)
    }
    held.leaseEnd = began + reach
    held.deadline = Math.max(held.deadline, began + ms)
  }

  #lose(held: Held): void {
    if (held.lost || held.state === 'settling' || held.state === 'over') return
    held.lost = true
    held.abort(new MillraceError('LEASE_LOST', `The lease of the event ${held.received.id} is lost`))
    this.#parts.reporter.lost(aboutOf(held), 'lost its lease: another consumer may handle it')
    if (held.state === 'waiting') this.#forget(held)
  }

  #loseAll(list: readonly Received[]): void {
    const lost = new Set(list)
    for (const held of this.#held) if (lost.has(held.received)) this.#lose(held)
  }

  // ---- reporting ----

  notice(held: Held, code: 'NEXT_NOT_AWAITED', message: string): void {
    this.#parts.reporter.middleware(aboutOf(held), code, message)
  }

  #notice(notice: Notice): void {
    this.#parts.reporter.notice({ ...notice, queue: this.queue })
  }

  /** Waits in real time, whatever clock handlers live by: a stop is a promise to whoever waits for the process. */
  async #until(done: () => boolean, deadline: number): Promise<void> {
    while (!done()) {
      const left = deadline - systemClock.monotonic()
      if (left <= 0) return
      await new Promise<void>((resolve) => {
        const timer = systemClock.after(left, resolve)
        this.#wake = () => (timer.cancel(), resolve())
      })
    }
  }
}

function aboutOf(held: Held): { queue: string; type: string; id: string } {
  return { queue: held.queue, type: held.received.type, id: held.received.id }
}

function timeoutError(maxHandling: number): MillraceError {
  return new MillraceError('HANDLING_TIMEOUT', `The handler ran longer than maxHandling (${maxHandling} ms)`)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
