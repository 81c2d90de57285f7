import { PublishError } from '../contract/publish-error.ts'
import type { Transport } from '../contract/transport.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { Call, givenUp, oversize, settle, type Item, type Outcomes } from './call.ts'

/** Events in one call of a transport: enough that its fixed cost is small, few enough that a store's commit stays short. */
const batchLength = 512
const batchBytes = 4 * 1024 * 1024
/** Fewer are not worth a call of their own beside two others. */
const leastShare = 128
/** Nor are these beside one. */
const leastHalf = 32
/** How far is looked for events that need not wait. */
const mostLooked = 4 * batchLength

/** Calls under way at once, where the transport says when their events have their places: one is made safe, one is written. */
const mostPlaced = 2

/** A call of the transport under way. */
interface Sending {
  readonly batch: readonly Item[]
  readonly sent: Promise<void>
  /** The transport keeps no order between it and the next one. */
  isApart: boolean
}

/**
 * Joins the publishes of one turn of the event loop into one call of the transport, which then pays for one commit or one
 * round trip. The next call begins when the events of the one before have their places, so that they leave in the order of
 * their publishes; where calls may overlap, those of one key, and those of one publish.
 */
export class Coalescer {
  readonly #transport: () => Promise<Transport>
  readonly #outcomes: Outcomes
  #items: Item[] = []
  /** What the transport has been given and has not answered, call by call. No Map: see `Backlog`. */
  #sending: Sending[] = []
  /** How many calls may be under way, as the last one has told. */
  #most = 1
  /** How many of the items belong to calls that have ended. */
  #dropped = 0
  #scheduled = false
  /** Called when so many events wait. */
  #wake: { readonly at: number; readonly call: () => void } | undefined

  constructor(transport: () => Promise<Transport>, outcomes: Outcomes) {
    this.#transport = transport
    this.#outcomes = outcomes
  }

  /** Resolves when all were taken; rejects with PublishError. An abort gives up what was not yet handed over. */
  publish(events: readonly Outgoing[], signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = new Call(events, this.#outcomes, resolve, reject)
      if (signal?.aborted === true) return call.end(givenUp('PUBLISH_ABORTED', call.results, signal.reason))
      if (events.length === 0) return call.end()
      for (const item of call.items) this.#items.push(item)
      if (signal !== undefined) call.listen(signal, (reason) => this.#giveUp(call, 'PUBLISH_ABORTED', reason))
      if (this.#wake !== undefined && this.#items.length >= this.#wake.at) this.#wake.call()
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => void this.#run())
    })
  }

  /** Waits no longer: what is not taken yet is rejected as stopped. */
  giveUp(): void {
    const calls = new Set(
      [...this.#items, ...this.#sending.flatMap(({ batch }) => batch)].map(({ call }) => call),
    )
    for (const call of calls) this.#giveUp(call, 'STOPPED')
  }

  #giveUp(call: Call, code: 'PUBLISH_ABORTED' | 'STOPPED', reason?: unknown): void {
    if (call.ended) return
    const { results } = call
    call.end(givenUp(code, results, reason))
    this.#dropped += results.filter((outcome) => outcome === 'rejected').length
    // Not for each call: many may share a signal.
    if (this.#dropped * 2 > this.#items.length) this.#sweep()
  }

  #sweep(): void {
    this.#items = this.#items.filter(({ call }) => !call.ended)
    this.#dropped = 0
  }

  async #run(): Promise<void> {
    while (this.#items.length > 0) {
      const batch = this.#take()
      if (batch.length > 0) await this.#begin(batch)
      // All that is left waits for those under way; what comes need not.
      else if (this.#sending.length > 0) await this.#change(this.#items.length + 1)
      await turn()
      while (this.#sending.length >= this.#worthwhile()) {
        await this.#change(leastShare)
        await turn()
      }
    }
    this.#scheduled = false
  }

  /** Resolves when a call has ended, or as many events wait as it takes. */
  async #change(waiting: number): Promise<void> {
    const enough = Promise.withResolvers<void>()
    if (this.#items.length < waiting) this.#wake = { at: waiting, call: enough.resolve }
    await Promise.race([enough.promise, ...this.#sending.map(({ sent }) => sent)])
    this.#wake = undefined
  }

  /** Resolves when the next call may begin. */
  async #begin(batch: readonly Item[]): Promise<void> {
    const next = Promise.withResolvers<void>()
    const call: Sending = {
      batch,
      isApart: false,
      sent: this.#send(batch, (most, isApart) => {
        call.isApart = isApart
        this.#most = most
        next.resolve()
      }).finally(() => {
        this.#sending = this.#sending.filter((one) => one !== call)
      }),
    }
    this.#sending.push(call)
    await Promise.race([next.promise, call.sent])
  }

  #take(): Item[] {
    if (this.#dropped > 0) this.#sweep()
    const most = Math.min(batchLength, this.#share())
    const waits = this.#waits()
    const taken: Item[] = []
    const left: Item[] = []
    let bytes = 0
    let n = 0
    for (; n < Math.min(this.#items.length, mostLooked) && taken.length < most; n++) {
      const item = this.#items[n]!
      if (waits(item)) {
        left.push(item)
        continue
      }
      bytes += item.event.size
      if (bytes > batchBytes && taken.length > 0) break
      taken.push(item)
    }
    this.#items.splice(0, n, ...left)
    for (const item of taken) item.outcome = 'unknown'
    return taken
  }

  /**
   * Tells, from first to last, what must not overtake: something under way that has no place yet, or something that waits for that.
   * What has its key waits, and the rest of its own publish.
   */
  #waits(): (item: Item) => boolean {
    const underWay = this.#sending.flatMap(({ batch, isApart }) => (isApart ? batch : []))
    if (underWay.length === 0) return () => false
    const keys = new Set(underWay.map(({ event }) => event.key))
    keys.delete(undefined)
    const calls = new Set(underWay.map(({ call }) => call))
    return ({ event, call }) => {
      if (!calls.has(call) && !keys.has(event.key)) return false
      calls.add(call)
      if (event.key !== undefined) keys.add(event.key)
      return true
    }
  }

  /** How many calls may be under way: more than two only if what waits is worth it, else it would leave in ever smaller ones. */
  #worthwhile(): number {
    return this.#items.length >= leastShare ? this.#most : Math.min(this.#most, 2)
  }

  /**
   * How much of what waits to take. If all callers waited for one call, nothing would be left to write while that is made
   * safe: so each call gets its share, of whole calls.
   */
  #share(): number {
    const all = this.#items.length
    const free = this.#most - this.#sending.length
    const halves = this.#sending.length === 0 && all >= 2 * leastHalf ? 2 : 1
    const shares = Math.min(free, Math.max(halves, Math.floor(all / leastShare)))
    if (shares < 2) return all
    let n = Math.ceil(all / shares)
    while (n < all && this.#items[n]!.call === this.#items[n - 1]!.call) n++
    return n
  }

  /**
   * @param next another call may begin, up to `most`; `isApart`: in any order with this one, so not with what has a key in common
   * with it
   */
  async #send(batch: readonly Item[], next: (most: number, isApart: boolean) => void): Promise<void> {
    let transport: Transport
    try {
      transport = await this.#transport()
    } catch (error) {
      for (const item of batch) settle(item, 'rejected', error)
      return
    }
    const sendable = batch.filter((item) => fits(item, transport.features.maxBytes))
    if (sendable.length === 0) return
    let isPlaced = false
    const options = {
      placed: (): void => {
        isPlaced = true
        next(mostPlaced, false)
      },
    }
    const { overlaps = 1 } = transport
    if (overlaps > 1) next(overlaps, true)
    else this.#most = 1
    try {
      await transport.publish(
        sendable.map((item) => item.event),
        options,
      )
      for (const item of sendable) settle(item, 'taken')
    } catch (error) {
      // What has its place is not sent again: it would come behind what was placed after it.
      if (isPlaced) settleAll(sendable, error)
      else await this.#failed(transport, sendable, error)
    }
  }

  /** A store may refuse a whole batch for one event: the others, of other callers, must not suffer for it. */
  async #failed(transport: Transport, batch: readonly Item[], error: unknown): Promise<void> {
    const results = error instanceof PublishError ? error.results : undefined
    const calls = new Set(batch.map((item) => item.call))
    const hopeless = error instanceof PublishError && !error.retryable
    if (!hopeless || calls.size === 1) return settleAll(batch, error)
    for (const call of calls) {
      const own = batch.filter((item, i) => item.call === call && results?.[i] !== 'taken')
      batch.forEach((item, i) => item.call === call && results?.[i] === 'taken' && settle(item, 'taken'))
      if (own.length === 0) continue
      try {
        await transport.publish(own.map((item) => item.event))
        for (const item of own) settle(item, 'taken')
      } catch (again) {
        settleAll(own, again)
      }
    }
  }
}

/** As the error says, which the transport has answered for all of them. */
function settleAll(batch: readonly Item[], error: unknown): void {
  const results = error instanceof PublishError ? error.results : undefined
  batch.forEach((item, i) => settle(item, results?.[i] ?? 'unknown', error))
}

function fits(item: Item, maxBytes: number): boolean {
  const { event, call } = item
  if (event.key !== undefined && call.failure?.keys.has(event.key) === true) {
    settle(item, 'rejected')
    return false
  }
  const error = oversize(event, maxBytes)
  if (error !== undefined) settle(item, 'rejected', error)
  return error === undefined
}

/** Callers that were just answered publish again in this turn: they join the next call. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
