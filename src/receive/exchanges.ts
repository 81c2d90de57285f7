import type { Clock } from '../clock/clock.ts'
import type { ExchangeResult, Notice, Received, Session } from '../contract/transport.ts'
import type { Held } from './held.ts'
import type { LoneClaims } from './lone-claims.ts'
import { News } from './news.ts'
import { Outage } from '../report/outage.ts'
import { Settler, settlementOf, type SettlerEvents } from './settler.ts'

export interface ExchangesParts {
  readonly clock: Clock
  readonly lease: number
  readonly lone: LoneClaims
  readonly settlements: SettlerEvents
  notice(notice: Notice, level?: 'info' | 'warn'): void
  /**
   * How many events to take now; `claim` is the batch that pays for the system, `leaving` is what it and those
   * under way settle, `asked` what those have asked for.
   */
  wanted(claim: number, leaving: number, asked: number): number
  /** @param leaseEnd monotonic time until which it is surely ours */
  take(received: Received, leaseEnd: number): void
  /** Something was answered: what waited for that may go on. */
  answered(): void
}

/**
 * Ticks in a turn of the event loop ahead of its end. One claims a batch, the other sends what has been handled meanwhile; with
 * more, a system that answers within the turn would keep everything else in the process from its own.
 */
const mostEarly = 2

/**
 * What passes between one subscription and its session: at the end of a turn of the event loop, or as soon as a batch is
 * complete, so that settlements and claims share an exchange.
 */
export class Exchanges {
  readonly settler: Settler
  readonly #parts: ExchangesParts
  readonly #outage: Outage
  readonly #news = new News(
    (error) => this.#broken([], error),
    () => this.tickSoon(),
  )
  #session!: Session
  #closed = false
  #scheduled = false
  /** How many ticks of this turn came before its end. */
  #early = 0
  #hurries = false
  #busy = 0
  /** Events that the exchanges under way may bring. */
  #asked = 0
  // Made once: a function that makes others takes memory at every call, and these are called for each event.
  readonly #tickEarly = (): void => {
    this.#hurries = false
    this.#tickNow()
  }
  readonly #endTurn = (): void => {
    this.#scheduled = false
    this.#early = 0
    this.#tick()
  }

  constructor(parts: ExchangesParts) {
    this.#parts = parts
    this.settler = new Settler(parts.clock, parts.settlements)
    this.#outage = new Outage(parts.clock, parts.notice, () => this.tickSoon())
  }

  begin(session: Session): void {
    this.#session = session
    this.tickSoon()
  }

  /** Whether anything is under way, or waits to be sent. */
  get open(): boolean {
    return this.settler.open + this.#busy > 0
  }

  /** Waits for no outage to end: a stop has no time for that. */
  hurry(): void {
    this.#outage.cut()
  }

  close(): void {
    this.#closed = true
    this.#news.close()
    this.settler.close()
    this.#outage.close()
  }

  tickSoon(): void {
    if (this.#closed) return
    // With a batch complete, the end of the turn is too late: the system can work while the handlers of the next one run. But
    // not at once: whoever gives back many events, one by one, must have done so before anything is claimed.
    const { claim, pulls } = this.#session
    if (this.settler.leaving >= claim && this.#busy < pulls && !this.#hurries) {
      this.#hurries = true
      queueMicrotask(this.#tickEarly)
    }
    this.#tickLater()
  }

  #tickNow(): void {
    if (this.#early === mostEarly || this.#busy >= this.#session.pulls) return
    this.#early++
    this.#tick()
  }

  #tickLater(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#endTurn)
  }

  #tick(): void {
    if (this.#closed || this.#outage.on || this.#busy >= this.#session.pulls) return
    const max = this.#news.awaited ? 0 : this.#wanted()
    const lapsed = this.#parts.lone.take()
    if (max > 0 || lapsed > 0) return void this.#exchange(max, lapsed)
    const list = this.settler.take()
    if (list.length > 0) void this.#settle(list)
  }

  #wanted(): number {
    const { leaving, departing } = this.settler
    return this.#parts.wanted(this.#session.claim, leaving + departing, this.#asked)
  }

  async #exchange(max: number, lapsed: number): Promise<void> {
    const { clock, lone, lease, take, answered } = this.#parts
    const list = this.settler.take()
    const began = clock.monotonic()
    this.#busy++
    this.#asked += max
    let result: ExchangeResult
    try {
      result = await this.#session.exchange({
        settle: list.map(settlementOf),
        max,
        ...(lapsed > 0 && { lapsed }),
      })
    } catch (error) {
      if (lapsed > 0) lone.failed()
      return this.#broken(list, error)
    } finally {
      this.#busy--
      this.#asked -= max
    }
    if (this.#closed) return // the session is closed, and gave back what it had claimed
    this.#outage.over()
    this.settler.answer(list, result.settled)
    const { received } = result
    const leaseEnd = Math.min(began + lease, this.#session.certainUntil ?? Infinity)
    let ordinary = 0
    // Not for...of: in an async function V8 compiles it to an object for each event.
    received.forEach((one) => {
      if (!one.lapsed) ordinary++
      take(one, leaseEnd)
    })
    if (lapsed > 0) lone.answered()
    // Asked for one and got none: more of the same question would be a hot loop.
    if (result.lapsed === true && (lapsed === 0 || ordinary < received.length)) lone.seen()
    if (ordinary < max) void this.#news.wait(this.#session)
    // There are more: the next batch can be on its way while this one is handled.
    else if (this.#wanted() > 0) this.#tickNow()
    answered()
  }

  async #settle(list: readonly Held[]): Promise<void> {
    this.#busy++
    try {
      await this.settler.send(this.#session, list)
    } catch (error) {
      return this.#broken(list, error)
    } finally {
      this.#busy--
    }
    this.#outage.over()
    this.#parts.answered()
  }

  #broken(list: readonly Held[], error: unknown): void {
    this.settler.failed(list)
    if (!this.#closed) this.#outage.begin(error)
  }
}
