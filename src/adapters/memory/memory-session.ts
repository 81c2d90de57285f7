import { longestLook, type Timer } from '../../clock/clock.ts'
import type {
  ExchangeRequest,
  ExchangeResult,
  Received,
  Session,
  SessionOptions,
  Settlement,
  SettleResult,
} from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { openLanes, type Consumer } from './lane.ts'
import type { MemoryQueue } from './memory-queue.ts'
import type { Claim } from './stored-event.ts'

/** The transport, as its sessions see it. */
export interface SessionHost {
  /** The queue has changed: others look again. */
  changed(): void
  /** This session has ended. */
  closed(): void
}

/** One consumer of one queue. Every call lets the time of its own clock pass in the queue before it does anything. */
export class MemorySession implements Session, Consumer {
  readonly claim = 256
  readonly pulls = 1
  readonly lanes = openLanes()
  readonly #queue: MemoryQueue
  readonly #options: SessionOptions
  readonly #host: SessionHost
  #toldLapsed = false
  #quiet = false
  #closed = false

  constructor(queue: MemoryQueue, options: SessionOptions, host: SessionHost) {
    this.#queue = queue
    this.#options = options
    this.#host = host
  }

  async exchange({ settle, max, lapsed = 0 }: ExchangeRequest): Promise<ExchangeResult> {
    const settled = this.#settle(settle)
    if (this.#queue.removed)
      throw new MillraceError('UNKNOWN_QUEUE', `The queue '${this.#queue.name}' was removed`)
    const received = this.#quiet ? [] : this.#take(max, lapsed)
    this.#toldLapsed = this.#queue.offersLapsed()
    if (settle.length > 0 || received.length > 0) this.#host.changed()
    return { received, settled, lapsed: this.#toldLapsed }
  }

  async settle(list: readonly Settlement[]): Promise<readonly SettleResult[] | undefined> {
    const results = this.#settle(list)
    this.#host.changed()
    return results
  }

  async extend(list: readonly Received[], ms: number): Promise<readonly ('ok' | 'lost')[]> {
    this.#open()
    this.#queue.turn(this.#options.clock)
    const until = this.#options.clock.monotonic() + ms
    return list.map((received) => this.#queue.extend(received as Claim, until))
  }

  ready(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed || this.#mayTake()) return Promise.resolve()
    const { clock } = this.#options
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const done = (): void => {
        timer?.cancel()
        this.#queue.watchers.delete(look)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const look = (): void => {
        if (this.#closed || this.#mayTake()) return done()
        timer?.cancel()
        const wait = Math.min(this.#queue.dueIn(clock) ?? Infinity, this.#queue.lapseIn(clock) ?? Infinity)
        timer = wait === Infinity ? undefined : clock.after(Math.min(wait, longestLook), look)
      }
      signal.addEventListener('abort', done, { once: true })
      this.#queue.watchers.add(look)
      look()
    })
  }

  async quiesce(): Promise<void> {
    this.#quiet = true
  }

  async close({ keep = [] }: { readonly keep?: readonly Received[] } = {}): Promise<void> {
    if (this.#closed) return
    const kept = new Set(keep)
    const left = this.#queue.heldBy(this).filter((claim) => !kept.has(claim))
    this.#settle(left.map((of) => ({ of, as: 'release' })))
    this.#closed = true
    this.#host.closed()
    this.#host.changed()
  }

  #open(): void {
    if (this.#closed) throw new MillraceError('STOPPED', `The session on '${this.#queue.name}' is closed`)
  }

  #settle(list: readonly Settlement[]): readonly SettleResult[] | undefined {
    this.#open()
    this.#queue.turn(this.#options.clock)
    const instant = this.#options.clock.monotonic()
    let results: SettleResult[] | undefined
    list.forEach((settlement, i) => {
      const result = this.#queue.settle(settlement, instant)
      if (result !== 'done') (results ??= list.map(() => 'done'))[i] = result
    })
    return results
  }

  #take(max: number, lapsed: number): readonly Claim[] {
    const until = this.#options.clock.monotonic() + this.#options.lease
    const received = this.#queue.claim(this, max, until)
    if (lapsed > 0) received.push(...this.#queue.claimLapsed(this, lapsed, until))
    return received
  }

  /** Lapsed events count once: a session that was told of them asks for them when it can, and must not spin until then. */
  #mayTake(): boolean {
    if (this.#quiet) return false
    // The next exchange tells.
    if (this.#queue.removed) return true
    this.#queue.turn(this.#options.clock)
    return this.#queue.offers(this) || (!this.#toldLapsed && this.#queue.offersLapsed())
  }
}
