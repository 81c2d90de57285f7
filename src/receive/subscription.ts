import type { Clock } from '../clock/clock.ts'
import { readable, type Duration } from '../clock/duration.ts'
import { Bag } from '../contract/bag.ts'
import type { DeadLetterRecord } from '../contract/dead-letter.ts'
import type { Notice, Received, Session, SessionOptions, Transport } from '../contract/transport.ts'
import type { ErrorCode } from '../errors/codes.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { Appetite } from './appetite.ts'
import { Breaker } from './breaker.ts'
import type { NextMisuse } from './chain.ts'
import { Exchanges } from './exchanges.ts'
import { aboutOf, Held, type Holder } from './held.ts'
import { Leases } from './leases.ts'
import { LoneClaims } from './lone-claims.ts'
import type { LoneGate } from './lone-gate.ts'
import { Progress, stopStep } from './progress.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { Reporter } from '../report/reporter.ts'
import { Runs } from './runs.ts'
import { settlementOf, type SettlerEvents } from './settler.ts'
import { transactions } from './transactions.ts'

/** Time at a stop for handlers to notice that their signal was aborted, for the last settlements, and for the farewell. */
const graceForHandlers = 500
const graceForSettling = 1_000
const graceForClosing = 150

export interface SubscriptionParts {
  readonly runtime: QueueRuntime
  readonly transport: Transport
  /** Where the transactions of a transactional queue are, if not in the transport. */
  readonly outbox?: Parameters<typeof transactions>[1]
  readonly clock: Clock
  readonly gate: LoneGate
  readonly reporter: Reporter
  readonly onDead: (received: Received, record: DeadLetterRecord) => void
}

/**
 * One queue's consumer in this process: claims, starts handlers as concurrency and keys allow, settles, renews leases.
 */
export class Subscription implements Holder, SettlerEvents {
  readonly queue: string
  readonly #parts: SubscriptionParts
  readonly #held = new Bag<Held>()
  readonly #appetite: Appetite
  readonly #breaker: Breaker | undefined
  readonly #runs: Runs
  readonly #exchanges: Exchanges
  readonly #leases: Leases
  readonly #lone: LoneClaims
  readonly #progress = new Progress()
  readonly #notice = (notice: Notice, level?: 'info' | 'warn'): void =>
    this.#parts.reporter.notice({ ...notice, queue: this.queue }, level)
  #session!: Session
  /** Gives the connections of the outbox back. */
  #unreserve: (() => void) | undefined
  #claiming = true
  #stopping = false

  constructor(parts: SubscriptionParts) {
    const { runtime, transport, clock, reporter, outbox } = parts
    this.#parts = parts
    this.queue = runtime.name
    this.#appetite = new Appetite(runtime, clock.monotonic())
    this.#breaker = runtime.settings.breaker
      ? new Breaker(clock, { notice: this.#notice, changed: () => this.#admit() })
      : undefined
    this.#runs = new Runs({
      ...parts,
      held: this.#held,
      breaker: this.#breaker,
      parks: runtime.settings.order && (runtime.settings.onRetry ?? transport.features.onRetry[0]) === 'park',
      decide: (held, settlement) => {
        this.#exchanges.settler.add(held, settlement)
        this.#progress.happened()
      },
      forget: (held) => this.#forget(held),
      renewLeases: () => this.#leases.renewNow(),
      transact: runtime.settings.transactional
        ? transactions(() => this.#session, outbox, reporter)
        : undefined,
    })
    this.#leases = new Leases({
      clock,
      lease: runtime.settings.lease,
      held: this.#held,
      session: () => this.#session,
      reporter,
      queue: this.queue,
      lost: (list) => this.#runs.lose(list),
      renewed: () => this.pump(),
    })
    this.#lone = new LoneClaims(parts.gate, {
      wake: () => this.#exchanges.tickSoon(),
      pump: () => this.pump(),
    })
    this.#exchanges = new Exchanges({
      clock,
      lease: runtime.settings.lease,
      lone: this.#lone,
      settlements: this,
      notice: this.#notice,
      wanted: (...of) => this.#wanted(...of),
      take: (received, leaseEnd) => this.#take(received, leaseEnd),
      answered: () => {
        this.#progress.happened()
        this.pump()
      },
    })
  }

  async open(): Promise<void> {
    const { runtime, transport, clock, outbox } = this.#parts
    const { transactional, concurrency } = runtime.settings
    if (transactional) this.#unreserve = outbox?.reserve?.(concurrency)
    const options: SessionOptions = {
      lease: runtime.settings.lease,
      order: runtime.settings.order,
      ...(transactional && outbox === undefined && { transactions: concurrency }),
      clock,
      notice: this.#notice,
      onRevoke: (lanes, deadline) => this.#revoke(new Set(lanes), deadline),
      onLost: (list) => this.#leases.lose(list),
    }
    try {
      this.#session = await transport.open(this.queue, options)
    } catch (error) {
      this.#unreserve?.()
      throw error
    }
    this.#lone.join()
    this.#leases.start()
    this.#exchanges.begin(this.#session)
  }

  pause(): void {
    this.#claiming = false
    this.#admit()
  }

  resume(): void {
    if (this.#stopping) return
    this.#claiming = true
    this.#breaker?.close('resume was called')
    this.#admit()
  }

  /** Whether the queue takes nothing because its breaker is open, and only the clock can change that. */
  get resting(): boolean {
    return this.#claiming && this.#breaker?.resting === true
  }

  /** Dead letters came back: whoever did that thinks that they can be handled now. */
  redriven(): void {
    this.#breaker?.close('dead letters were redriven')
  }

  /**
   * What crashed elsewhere may be taken when anything may. Else what waits is given back, and before the lone claim is: that
   * opens the gate, and whatever still waited would start.
   */
  #admit(): void {
    if (this.#claiming && this.#breaker?.room !== 0) this.#lone.resume()
    else {
      this.#runs.giveBackWaiting()
      this.#lone.pause()
    }
    this.#exchanges.tickSoon()
  }

  /**
   * Takes nothing new, waits for handlers until `deadline` (monotonic), then aborts them, and settles what it can. Whatever
   * the system does or does not answer, this ends in time.
   */
  async stop(deadline: number): Promise<void> {
    const end = deadline + graceForHandlers + graceForSettling
    this.#stopping = true
    this.#claiming = false
    this.#runs.stop()
    this.#lone.pause()
    this.#breaker?.stop()
    this.#exchanges.hurry()
    const quiet = stopStep(() => this.#session.quiesce(), end, this.#notice)
    await this.#progress.until(() => this.#runs.running === 0, deadline)
    this.#runs.abortAll(new MillraceError('STOPPING', 'The app is stopping'))
    await this.#progress.until(() => this.#runs.running === 0, deadline + graceForHandlers)
    // An exchange under way may still bring something, to be given back.
    await this.#progress.until(() => !this.#exchanges.open, end)
    await quiet
    await stopStep(async () => this.#session.flush?.(), end, this.#notice)
    this.#exchanges.close()
    // Not before: until an event that runs alone has ended, nothing of other queues starts beside it.
    this.#lone.part()
    this.#leases.stop()
    // Handlers that ignore their signal keep their lease, so that nobody else runs the same event beside them.
    const keep = this.#runs.close().map((held) => held.received)
    this.#unreserve?.()
    await stopStep(() => this.#session.close({ keep }), end + graceForClosing, this.#notice)
  }

  #wanted(claim: number, leaving: number, asked: number): number {
    if (!this.#claiming || !this.#parts.gate.open) return 0
    const wanted = this.#appetite.wanted(claim, leaving, asked)
    if (wanted > 0) this.#appetite.measure(this.#parts.clock.monotonic())
    return Math.min(wanted, this.#breaker?.room ?? wanted)
  }

  #take(received: Received, leaseEnd: number): void {
    const { runtime, transport } = this.#parts
    const held = new Held(received, runtime.find(received.type), leaseEnd, this)
    this.#held.add(held)
    this.#appetite.took(held.size)
    if (!this.#claiming) this.#exchanges.settler.add(held, { of: received, as: 'release' })
    else if (received.attempt > runtime.settings.retry.attempts) {
      const error = new MillraceError('CRASHED', 'The process that handled it ended before it was settled')
      this.#runs.bury(held, error, received.attempt - 1)
    } else if (
      held.route === undefined &&
      !transport.features.filters &&
      !runtime.subscribes(received.type)
    ) {
      this.#exchanges.settler.add(held, { of: received, as: 'ack' })
    } else if (this.#breaker?.admits(held) === false) {
      this.#exchanges.settler.add(held, { of: received, as: 'release' })
    } else if (!received.lapsed) this.#runs.add(held)
    else if (this.#parts.clock.monotonic() >= leaseEnd) {
      // Somebody else may have it by now: it is asked for again.
      this.#exchanges.settler.add(held, { of: received, as: 'release' })
    } else {
      this.#lone.started(held)
      this.#runs.startLone(held)
    }
  }

  pump(): void {
    this.#runs.pump()
    this.#exchanges.tickSoon()
  }

  ready(): void {
    this.#exchanges.tickSoon()
  }

  settled(held: Held, result: 'done' | 'gone' | 'lost'): void {
    const settlement = settlementOf(held)
    this.#forget(held)
    if (settlement.park === true) this.#runs.unpark(held)
    if (result === 'lost') {
      const handled = settlement.as === 'ack'
      this.#parts.reporter.notice({
        ...aboutOf(held),
        code: 'LEASE_LOST',
        message: handled ? 'was handled too late: it comes again' : 'went elsewhere',
      })
    } else if (result === 'done' && settlement.record !== undefined)
      this.#parts.onDead(held.received, settlement.record)
  }

  refused(held: Held, cause: MillraceError): void {
    const message = 'could not be settled; trying again, and so with others that are refused for this reason'
    this.#parts.reporter.notice({ ...aboutOf(held), code: cause.code, message, cause }, 'error')
  }

  recovered(code: ErrorCode, after: number): void {
    this.#notice({ code, message: `All that could not be settled is settled after ${readable(after)}` })
  }

  #forget(held: Held): void {
    held.state = 'over'
    if (this.#held.delete(held)) this.#appetite.gave(held.size)
    this.#lone.over(held)
    this.#breaker?.over(held)
    this.#progress.happened()
  }

  /** The system takes lanes away: gives back what has not started, and waits for the rest as long as it may. */
  #revoke(lanes: ReadonlySet<string>, deadline: number): Promise<void> {
    this.#runs.giveBackWaiting()
    const ours = ({ received: { lane } }: Held): boolean => lane !== undefined && lanes.has(lane)
    return this.#progress.until(() => !this.#held.values().some(ours), deadline)
  }

  extend(held: Held, by: Duration): Promise<void> {
    return this.#leases.extend(held, by)
  }

  begins(held: Held): void {
    this.#runs.begins(held)
  }

  notice(held: Held, code: NextMisuse, message: string): void {
    this.#parts.reporter.notice({ ...aboutOf(held), code, message })
  }
}
