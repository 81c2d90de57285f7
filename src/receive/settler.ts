import type { Clock, Timer } from '../clock/clock.ts'
import type { SettleResult, Session, Settlement } from '../contract/transport.ts'
import type { ErrorCode } from '../errors/codes.ts'
import type { MillraceError } from '../errors/millrace-error.ts'
import type { Held } from './held.ts'

const firstWait = 100
const longestWait = 5_000
/** Who is refused for a reason that was told is told of, too, this long after it: what is refused for good must not hide others. */
const tellAgain = 60_000

/** What the settler tells the subscription. */
export interface SettlerEvents {
  /** The system has answered: nothing more to do for this event. */
  settled(held: Held, result: 'done' | 'gone' | 'lost'): void
  /** It refused this one for now, the first for this reason, or the first since a minute; it will be asked again. */
  refused(held: Held, error: MillraceError): void
  /** It has answered for all that it had refused for this reason, so many milliseconds after the first. */
  recovered(reason: ErrorCode, after: number): void
  /** There is something to send. */
  ready(): void
}

/** Settlements on their way: collected, sent many at a time, sent again until the system has answered for each. */
export class Settler {
  readonly #clock: Clock
  readonly #events: SettlerEvents
  #waiting: Held[] = []
  #sent = 0
  /** How many of those were refused before. */
  #refusedSent = 0
  #again: { held: Held[]; timer: Timer } | undefined
  /** Those that the system has refused and not taken since, and why: they are among what waits, what is sent, or `#again`. */
  readonly #refused = new Map<Held, ErrorCode>()
  #refusals = 0
  /** Since when it refuses for these reasons, and when that was last told: times of the monotonic clock. */
  readonly #reasons = new Map<ErrorCode, { readonly since: number; told: number }>()

  constructor(clock: Clock, events: SettlerEvents) {
    this.#clock = clock
    this.#events = events
  }

  /** Settlements that are not answered yet. */
  get open(): number {
    return this.#waiting.length + this.#sent + (this.#again?.held.length ?? 0)
  }

  /**
   * How many of those that `take` would give will be gone when they are answered. What was refused before may be refused
   * again: whoever took others in its place would hold more each time.
   */
  get leaving(): number {
    return this.#waiting.length - (this.#refused.size - this.#refusedSent - (this.#again?.held.length ?? 0))
  }

  /** How many of those under way will be gone when they are answered. */
  get departing(): number {
    return this.#sent - this.#refusedSent
  }

  add(held: Held, settlement: Settlement): void {
    held.state = 'settling'
    held.settlement = settlement
    this.#waiting.push(held)
    this.#events.ready()
  }

  /** Takes what waits, to be answered by `answer` or put back by `failed`. */
  take(): readonly Held[] {
    const list = this.#waiting
    this.#waiting = []
    this.#sent += list.length
    this.#refusedSent += this.#countRefused(list)
    return list
  }

  async send(session: Session, list: readonly Held[]): Promise<void> {
    this.answer(list, await session.settle(list.map(settlementOf)))
  }

  answer(list: readonly Held[], results: readonly SettleResult[] | undefined): void {
    this.#back(list)
    const refused: Held[] = []
    list.forEach((held, i) => {
      const result = results?.[i] ?? 'done'
      if (typeof result === 'string') {
        this.#refused.delete(held)
        return this.#events.settled(held, result)
      }
      refused.push(held)
      this.#refuse(held, result)
    })
    if (refused.length > 0) this.#later(refused)
    if (this.#reasons.size > 0) this.#recover()
    if (this.#waiting.length > 0) this.#events.ready()
  }

  /** The exchange broke: all are sent again, before anything newer. */
  failed(list: readonly Held[]): void {
    this.#back(list)
    this.#waiting = [...list, ...this.#waiting]
  }

  close(): void {
    this.#again?.timer.cancel()
  }

  #back(list: readonly Held[]): void {
    this.#sent -= list.length
    this.#refusedSent -= this.#countRefused(list)
  }

  #countRefused(list: readonly Held[]): number {
    if (this.#refused.size === 0) return 0
    return list.filter((held) => this.#refused.has(held)).length
  }

  #refuse(held: Held, error: MillraceError): void {
    const { code } = error
    const isAsked = this.#refused.has(held)
    this.#refused.set(held, code)
    const now = this.#clock.monotonic()
    const reason = this.#reasons.get(code)
    if (reason === undefined) this.#reasons.set(code, { since: now, told: now })
    else if (isAsked || now - reason.told < tellAgain) return
    else reason.told = now
    this.#events.refused(held, error)
  }

  #recover(): void {
    if (this.#refused.size === 0) this.#refusals = 0
    const left = new Set(this.#refused.values())
    for (const [code, { since }] of this.#reasons) {
      if (left.has(code)) continue
      this.#reasons.delete(code)
      this.#events.recovered(code, this.#clock.monotonic() - since)
    }
  }

  #later(refused: Held[]): void {
    if (this.#again !== undefined) return void this.#again.held.push(...refused)
    const wait = Math.min(firstWait * 2 ** this.#refusals++, longestWait)
    const timer = this.#clock.after(wait, () => {
      const held = this.#again?.held ?? []
      this.#again = undefined
      this.#waiting = [...held, ...this.#waiting]
      this.#events.ready()
    })
    this.#again = { held: refused, timer }
  }
}

export function settlementOf(held: Held): Settlement {
  return held.settlement as Settlement
}
