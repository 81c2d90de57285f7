import type { Duration } from '../clock/duration.ts'
import type { BagItem } from '../contract/bag.ts'
import type { Received, Settlement } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { EventRecord } from '../event/event.ts'
import { Payload } from '../event/payload.ts'
import type { NextMisuse } from './chain.ts'
import type { Handled } from './context.ts'
import type { Route } from './queue-runtime.ts'
import type { RunTransaction } from './run-transaction.ts'

/** What a held event needs of the subscription that holds it. */
export interface Holder {
  readonly queue: string
  extend(held: Held, by: Duration): Promise<void>
  notice(held: Held, code: NextMisuse, message: string): void
  /** Its handler starts only now. */
  begins(held: Held): void
}

/** An event in the hands of this process: received, and not yet settled. */
export class Held implements Handled, BagItem {
  readonly received: Received
  readonly route: Route | undefined
  /** Bytes, about. */
  readonly size: number
  /** Monotonic time until which it is surely ours. */
  leaseEnd: number
  /** Monotonic time after which the run is over, whatever the handler does. */
  deadline = 0
  /** waiting: not started. running: with the handler. settling: decided. over: nothing more to do. */
  state: 'waiting' | 'running' | 'settling' | 'over' = 'waiting'
  /** Its lease is lost: only an ack may still be sent. */
  lost = false
  /** It ran for longer than maxHandling. */
  timedOut = false
  /** Another event of its batch stands for its failure. */
  failedAlong = false
  /** It stands in a batch that has not started: the handler has not seen it yet. */
  gathered = false
  /** Gives back its slot, or its part of that of its batch. A lone event has none. */
  leave: (() => void) | undefined
  /** Its place among all that the subscription holds. */
  slot = -1
  settlement: Settlement | undefined
  transaction: RunTransaction | undefined
  /** Rolls its transaction back, though the handler goes on. */
  endTransaction: ((reason: Error) => void) | undefined
  readonly #holder: Holder
  #event: EventRecord | undefined
  #abort: AbortController | undefined
  #reason: unknown

  constructor(received: Received, route: Route | undefined, leaseEnd: number, holder: Holder) {
    this.received = received
    this.route = route
    this.size = received.size ?? received.data.length
    this.leaseEnd = leaseEnd
    this.#holder = holder
  }

  get queue(): string {
    return this.#holder.queue
  }

  get attempt(): number {
    return this.received.attempt
  }

  get lapsed(): boolean {
    return this.received.lapsed
  }

  /** @throws MillraceError DECODE_FAILED if the stored attributes make no event */
  get event(): EventRecord {
    if (this.#event === undefined) {
      const { id, type, key, head, data } = this.received
      this.#event = new EventRecord(id, type, key, head, Payload.from(data, head.contentType))
    }
    return this.#event
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#reason !== undefined) this.#abort.abort(this.#reason)
    }
    return this.#abort.signal
  }

  get aborted(): boolean {
    return this.#reason !== undefined
  }

  abort(reason: unknown): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#abort?.abort(reason)
  }

  extend(by: Duration): Promise<void> {
    return this.#holder.extend(this, by)
  }

  notice(code: NextMisuse, message: string): void {
    this.#holder.notice(this, code, message)
  }

  gather(): void {
    this.gathered = true
    this.deadline = Number.POSITIVE_INFINITY
  }

  begin(leave: () => void): void {
    if (this.lost || this.state !== 'running') throw leaseLost(this)
    this.gathered = false
    this.leave = leave
    this.#holder.begins(this)
  }

  failAlong(): void {
    this.failedAlong = true
  }
}

export function leaseLost(held: Held): MillraceError {
  return new MillraceError('LEASE_LOST', `The lease of the event ${held.received.id} is lost`)
}

/** How log lines name an event. */
export function aboutOf(held: Held): { queue: string; type: string; id: string } {
  return { queue: held.queue, type: held.received.type, id: held.received.id }
}
