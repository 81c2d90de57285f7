import type { Clock } from '../clock/clock.ts'
import type { Duration } from '../clock/duration.ts'
import type { DeadLetterRecord } from '../contract/dead-letter.ts'
import type {
  ExchangeResult,
  Notice,
  Received,
  Session,
  Settlement,
  Transport,
} from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { Appetite } from './appetite.ts'
import { aboutOf, Held, type Holder } from './held.ts'
import { Leases } from './leases.ts'
import type { LoneClaimer, LoneGate } from './lone-gate.ts'
import { Outage } from './outage.ts'
import { Progress } from './progress.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { Reporter } from './reporter.ts'
import { Runs } from './runs.ts'
import { Settler, settlementOf, type SettlerEvents } from './settler.ts'

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
  readonly #appetite: Appetite
  readonly #runs: Runs
  readonly #settler: Settler
  readonly #leases: Leases
  readonly #outage: Outage
  readonly #progress = new Progress()
  readonly #ending = new AbortController()
  #session!: Session
  #claiming = true
  #stopping = false
  #closed = false
  #scheduled = false
  /** The last claim brought less than was asked for, and nothing was announced since. */
  #dry = false
  #busy = 0
  #lone: 'none' | 'wanted' | 'asked' | Held = 'none'

  constructor(parts: SubscriptionParts) {
    const { runtime, transport, clock, reporter } = parts
    this.#parts = parts
    this.queue = runtime.name
    this.#appetite = new Appetite(runtime, clock.monotonic())
    this.#settler = new Settler(clock, this)
    this.#runs = new Runs({
      ...parts,
      parks: runtime.settings.order && (runtime.settings.onRetry ?? transport.features.onRetry[0]) === 'park',
      decide: (held, settlement) => this.#settler.add(held, settlement),
      forget: (held) => this.#forget(held),
      renewLeases: () => this.#leases.renewNow(),
    })
    this.#leases = new Leases({
      clock,
      lease: runtime.settings.lease,
      held: this.#held,
      session: () => this.#session,
      reporter,
      queue: this.queue,
      forget: (held) => this.#forget(held),
      renewed: () => this.pump(),
    })
    this.#outage = new Outage(
      clock,
      (notice, level) => reporter.notice({ ...notice, queue: this.queue }, level),
      () => this.#tickSoon(),
    )
  }

  async open(): Promise<void> {
    const { runtime, transport, clock, gate } = this.#parts
    this.#session = await transport.open(this.queue, {
      lease: runtime.settings.lease,
      order: runtime.settings.order,
      clock,
      notice: (notice) => this.#notice(notice),
      onRevoke: () => this.#runs.giveBackWaiting(),
      onLost: (list) => this.#leases.lose(list),
    })
    gate.join(this)
    this.#leases.start()
    this.#tickSoon()
  }

  pause(): void {
    this.#claiming = false
    this.#runs.giveBackWaiting()
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
    this.#runs.stop()
    await this.#session.quiesce()
    await this.#progress.until(() => this.#runs.running === 0, deadline)
    this.#runs.abortAll(new MillraceError('STOPPING', 'The app is stopping'))
    await this.#progress.until(() => this.#runs.running === 0, deadline + graceForHandlers)
    await this.#progress.until(() => this.#settler.open === 0, deadline + graceForHandlers + graceForSettling)
    await this.#session.flush?.()
    this.#closed = true
    this.#ending.abort()
    this.#leases.stop()
    this.#settler.close()
    this.#outage.close()
    // Handlers that ignore their signal keep their lease, so that nobody else runs the same event beside them.
    await this.#session.close({ keep: this.#runs.close().map((held) => held.received) })
  }

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
    return this.#appetite.wanted(this.#held.size, this.#session.claim)
  }

  async #exchange(max: number, lapsed: number): Promise<void> {
    const list = this.#settler.take()
    const began = this.#parts.clock.monotonic()
    this.#appetite.measure(began)
    this.#busy++
    let result: ExchangeResult
    try {
      result = await this.#session.exchange({
        settle: list.map(settlementOf),
        max,
        ...(lapsed > 0 && { lapsed }),
      })
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
    if (max > 0 && ordinary < max) void this.#awaitNews()
    this.pump()
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

  async #awaitNews(): Promise<void> {
    if (this.#dry) return
    this.#dry = true
    await this.#session.ready(this.#ending.signal)
    this.#dry = false
    this.#tickSoon()
  }

  #take(received: Received, leaseEnd: number): void {
    const { runtime, transport } = this.#parts
    const held = new Held(received, runtime.find(received.type), leaseEnd, this)
    this.#held.add(held)
    if (!this.#claiming) this.#settler.add(held, { of: received, as: 'release' })
    else if (received.attempt > runtime.settings.retry.attempts) {
      const error = new MillraceError('CRASHED', 'The process that handled it ended before it was settled')
      this.#runs.bury(held, error, received.attempt - 1)
    } else if (
      held.route === undefined &&
      !transport.features.filters &&
      !runtime.subscribes(received.type)
    ) {
      this.#settler.add(held, { of: received, as: 'ack' })
    } else if (received.lapsed) {
      this.#lone = held
      this.#runs.startLone(held)
    } else this.#runs.add(held)
  }

  pump(): void {
    this.#runs.pump()
    this.#tickSoon()
  }

  claimLone(): void {
    this.#lone = 'wanted'
    this.#tickSoon()
  }

  #leaveLone(): void {
    this.#lone = 'none'
    this.#parts.gate.leave(this)
  }

  ready(): void {
    this.#tickSoon()
  }

  settled(held: Held, result: 'done' | 'gone' | 'lost'): void {
    const settlement = held.settlement as Settlement
    this.#appetite.count()
    this.#forget(held)
    if (settlement.park === true) this.#runs.unpark(held)
    if (result === 'lost') {
      const handled = settlement.as === 'ack'
      this.#parts.reporter.lost(
        aboutOf(held),
        handled ? 'was handled too late: it comes again' : 'went elsewhere',
      )
    } else if (result === 'done' && settlement.record !== undefined)
      this.#parts.onDead(held.received, settlement.record)
    this.#tickSoon()
  }

  refused(held: Held, error: Error): void {
    this.#parts.reporter.unsettled(aboutOf(held), error)
  }

  #forget(held: Held): void {
    held.state = 'over'
    this.#held.delete(held)
    if (this.#lone === held) this.#leaveLone()
    this.#progress.happened()
  }

  extend(held: Held, by: Duration): Promise<void> {
    return this.#leases.extend(held, by)
  }

  notice(held: Held, code: 'NEXT_NOT_AWAITED', message: string): void {
    this.#parts.reporter.middleware(aboutOf(held), code, message)
  }

  #notice(notice: Notice): void {
    this.#parts.reporter.notice({ ...notice, queue: this.queue })
  }
}
