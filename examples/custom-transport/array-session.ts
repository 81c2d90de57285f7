import { MillraceError } from 'millrace'
import {
  decodeHead,
  type Clock,
  type ExchangeRequest,
  type ExchangeResult,
  type DeadLetterRecord,
  type Received,
  type Session,
  type SessionOptions,
  type Settlement,
  type SettleResult,
} from 'millrace/contract'
import { copy, letterOf, ranOut, type ArrayQueue, type Entry } from './array-queue.ts'

/** One consumer of one queue. */
export class ArraySession implements Session {
  readonly claim = 100
  readonly pulls = 1
  readonly clock: Clock
  readonly #queue: ArrayQueue
  readonly #lease: number
  /** The open sessions of the transport: this one is among them until its close. */
  readonly #open: Set<ArraySession>
  /** Which entry each claim was of: one id may be published twice. */
  readonly #claimed = new WeakMap<Received, Entry>()
  #seen = -1
  #looked = 0
  #quiet = false

  constructor(queue: ArrayQueue, { clock, lease }: SessionOptions, open: Set<ArraySession>) {
    this.clock = clock
    this.#queue = queue
    this.#lease = lease
    this.#open = open
    open.add(this)
  }

  async exchange({ settle, max, lapsed = 0 }: ExchangeRequest): Promise<ExchangeResult> {
    this.#check()
    const settled = settle.map((settlement) => this.#settle(settlement))
    this.#queue.check()
    this.#seen = this.#queue.version
    this.#looked = this.clock.monotonic()
    if (this.#quiet) return { received: [], settled }
    const { entries } = this.#queue
    const free = entries
      .filter(({ held, due }) => held === undefined && due <= this.clock.now())
      .slice(0, max)
    const left = entries.filter(({ held }) => held !== undefined && ranOut(held))
    const received = [
      ...free.map((entry) => this.#take(entry, false)),
      ...left.slice(0, lapsed).map((entry) => this.#take(entry, true)),
    ]
    return { received, settled, lapsed: left.length > lapsed }
  }

  ready(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#mayTake()) return Promise.resolve()
    const next = this.#quiet ? undefined : this.#nextChange()
    return new Promise((resolve) => {
      const done = (): void => {
        unwatch()
        timer?.cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const unwatch = this.#queue.watch(() => {
        if (this.#mayTake()) done()
      })
      const timer = next === undefined ? undefined : this.clock.after(next, done)
      signal.addEventListener('abort', done)
    })
  }

  async settle(list: readonly Settlement[]): Promise<readonly SettleResult[]> {
    this.#check()
    return list.map((settlement) => this.#settle(settlement))
  }

  async extend(list: readonly Received[], ms: number): Promise<readonly ('ok' | 'lost')[]> {
    this.#check()
    return list.map((of) => {
      const entry = this.#own(of)
      if (entry?.held === undefined) return 'lost'
      entry.held.end = this.clock.monotonic() + ms
      return 'ok'
    })
  }

  async quiesce(): Promise<void> {
    this.#quiet = true
  }

  async close({ keep = [] }: { readonly keep?: readonly Received[] } = {}): Promise<void> {
    this.#open.delete(this)
    for (const entry of this.#queue.entries) {
      if (entry.held?.by === this && !keep.includes(entry.held.claim)) entry.held = undefined
    }
    this.#queue.changed()
  }

  #check(): void {
    if (!this.#open.has(this)) throw new MillraceError('STOPPED', 'The session was closed')
  }

  /** There may be something, or the next exchange tells that the session has ended. */
  #mayTake(): boolean {
    if (!this.#open.has(this)) return true
    if (this.#quiet) return false
    const next = this.#nextChange()
    return this.#seen !== this.#queue.version || (next !== undefined && next <= 0)
  }

  #take(entry: Entry, lapsed: boolean): Received {
    // Only a crash of a lone run counts: others may have died beside the one that killed the process.
    if (entry.held?.lone === true) entry.failures++
    const { id, type, key } = entry.event
    const { head, trail } = entry
    const data = copy(entry.event.data)
    const claim: Received = {
      id,
      type,
      key,
      data,
      trail,
      lapsed,
      attempt: entry.failures + 1,
      head: decodeHead(head),
    }
    entry.held = { by: this, end: this.clock.monotonic() + this.#lease, lone: lapsed, claim }
    this.#claimed.set(claim, entry)
    return claim
  }

  /** The entry, if this very claim still holds it. */
  #own(of: Received): Entry | undefined {
    return this.#queue.entries.find(({ held }) => held?.claim === of && held.by === this && !ranOut(held))
  }

  #settle({ of, as, delay = 0, trail, record }: Settlement): SettleResult {
    const entry = this.#own(of)
    const { entries, letters, settled } = this.#queue
    if (entry === undefined) return entries.includes(this.#claimed.get(of) as Entry) ? 'lost' : 'gone'
    if (as === 'retry') entry.failures++
    if (as === 'retry') entry.trail = trail
    if (as === 'retry' || as === 'release') {
      entry.due = delay > 0 ? this.clock.now() + delay : 0
      entry.held = undefined
    } else entries.splice(entries.indexOf(entry), 1)
    if (as === 'dead') letters.push(letterOf(letters, entry, record as DeadLetterRecord))
    if (as !== 'release') settled.push({ at: Date.now(), failed: as !== 'ack' })
    if (as !== 'ack') this.#queue.changed()
    return 'done'
  }

  /** Milliseconds until something becomes due or a lease runs out. */
  #nextChange(): number | undefined {
    const [now, monotonic] = [this.clock.now(), this.clock.monotonic()]
    const times = this.#queue.entries
      // A lease that had run out by then was told with the last exchange.
      .filter(({ held }) => held === undefined || held.end > this.#looked)
      .map(({ held, due }) => (held === undefined ? due - now : held.end - monotonic))
    return times.length === 0 ? undefined : Math.min(...times)
  }
}
