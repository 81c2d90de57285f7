import { aborted } from '../../../clock/aborted.ts'
import { systemClock } from '../../../clock/clock.ts'
import type {
  ExchangeRequest,
  ExchangeResult,
  Notice,
  Received,
  Session,
  SessionOptions,
  SettleResult,
  Settlement,
} from '../../../contract/transport.ts'
import { Bag } from '../../../contract/bag.ts'
import { settledOf } from '../../../contract/settled.ts'
import { MillraceError } from '../../../errors/millrace-error.ts'
import { letterOf, onwards } from './moves.ts'
import type { KafkaEvent } from './kafka-event.ts'
import type { NewRecord, Producing } from '../producing/producing.ts'
import type { QueueConsumer } from './queue-consumer.ts'
import type { Taker } from './taker.ts'
import { shortWait } from '../queues/queue-topics.ts'

export interface SessionParts {
  readonly consumer: QueueConsumer
  readonly producing: Producing
  readonly options: SessionOptions
  /** Called once. */
  closed(): Promise<void>
}

/** A settlement that takes a record in another topic first. */
interface Move {
  readonly at: number
  readonly event: KafkaEvent
  readonly record: NewRecord
}

export class KafkaSession implements Session, Taker {
  readonly claim = 256
  readonly pulls = 1
  readonly #parts: SessionParts
  readonly #held = new Bag<KafkaEvent>()
  readonly #end = new AbortController()
  #seen = -1
  #quiet = false
  #closing: Promise<void> | undefined

  constructor(parts: SessionParts) {
    this.#parts = parts
    parts.consumer.join(this)
  }

  get certainUntil(): number {
    return this.#parts.consumer.certainUntil
  }

  async exchange({ settle, max }: ExchangeRequest): Promise<ExchangeResult> {
    this.#checkOpen()
    const { consumer } = this.#parts
    const settled = settle.length === 0 ? undefined : await this.settle(settle)
    if (max === 0 || this.#quiet) return { received: [], settled }
    if (consumer.error !== undefined) throw consumer.error
    const seen = consumer.changes.count
    const received = await consumer.take(this, max)
    // The session may have been closed in the meantime.
    if (this.#quiet) {
      for (const event of received) consumer.giveBack(event, event.setback)
      return { received: [], settled }
    }
    for (const event of received) this.#held.add(event)
    this.#seen = received.length < max ? seen : -1
    return { received, settled }
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (this.#quiet) await aborted(signal, this.#end.signal)
    else await this.#parts.consumer.changes.since(this.#seen, signal)
  }

  async settle(list: readonly Settlement[]): Promise<readonly SettleResult[] | undefined> {
    this.#checkOpen()
    const results = await this.#settleAll(list)
    const { handled, failed } = settledOf(list, results)
    this.#parts.consumer.rates.count(systemClock.monotonic(), handled, failed)
    return results
  }

  async #settleAll(list: readonly Settlement[]): Promise<readonly SettleResult[] | undefined> {
    let results: SettleResult[] | undefined
    const answer = (at: number, result: SettleResult): void => {
      results ??= list.map(() => 'done')
      results[at] = result
    }
    const moves: Move[] = []
    list.forEach((settlement, at) => {
      const event = settlement.of as KafkaEvent
      if (!this.#held.has(event)) return answer(at, this.#lossOf(event))
      const record = this.#settle(event, settlement)
      if (record !== undefined) moves.push({ at, event, record })
    })
    if (moves.length === 0) return results
    await this.#parts.consumer.decided()
    // What was lost meanwhile is for others to move.
    const ours = moves.filter(({ event }) => this.#held.has(event))
    for (const move of moves) if (!this.#held.has(move.event)) answer(move.at, this.#lossOf(move.event))
    const sent = await this.#parts.producing.move(ours.map(({ record }) => record))
    ours.forEach(({ at, event }, i) => {
      const result = sent?.[i] ?? 'taken'
      if (result !== 'taken') return answer(at, result.error)
      // If its lane has gone meanwhile somebody else has it too: more than once, but never lost.
      if (this.#held.delete(event)) this.#parts.consumer.settle(event)
    })
    return results
  }

  async extend(list: readonly Received[]): Promise<readonly ('ok' | 'lost')[]> {
    this.#checkOpen()
    if (systemClock.monotonic() >= this.certainUntil) {
      const message = `Whether '${this.#parts.consumer.name}' still has its lanes is not known yet`
      throw new MillraceError('CONNECTION_LOST', message)
    }
    return list.map((event) => (this.#held.has(event as KafkaEvent) ? 'ok' : 'lost'))
  }

  flush(): Promise<void> {
    return this.#parts.consumer.flush()
  }

  async quiesce(): Promise<void> {
    this.#quiet = true
  }

  close({ keep = [] }: { readonly keep?: readonly Received[] } = {}): Promise<void> {
    this.#closing ??= this.#close(new Set(keep))
    return this.#closing
  }

  notice(notice: Notice): void {
    this.#parts.options.notice(notice)
  }

  async revoke(lanes: readonly string[], deadline: number): Promise<void> {
    await this.#parts.options.onRevoke(lanes, deadline)
  }

  lose(events: readonly KafkaEvent[]): void {
    const own = events.filter((event) => this.#held.delete(event))
    if (own.length > 0) this.#parts.options.onLost(own)
  }

  #checkOpen(): void {
    if (this.#closing === undefined) return
    const { name } = this.#parts.consumer
    throw new MillraceError('STOPPED', `The session on '${name}' is closed`)
  }

  /** What became of an event that this session does not hold. */
  #lossOf({ from }: KafkaEvent): SettleResult {
    return from.lost && !this.#parts.consumer.removed ? 'lost' : 'gone'
  }

  /** What can be done here is done; else the record that has to be written first. */
  #settle(
    event: KafkaEvent,
    { as, delay = 0, park = false, trail, record }: Settlement,
  ): NewRecord | undefined {
    const { consumer, options } = this.#parts
    if (as === 'dead') return letterOf(event, JSON.stringify(record), consumer.topics)
    if (as !== 'ack') {
      const now = options.clock.now()
      const due = delay > 0 ? Math.ceil(now + delay) : 0
      const failed = as === 'retry'
      const setback = {
        attempt: event.attempt + Number(failed),
        trail: failed ? trail : event.trail,
        due,
        parks: park && event.key !== undefined,
      }
      const stays = setback.parks || (!failed && delay <= shortWait)
      if (!stays) return onwards(event, { ...setback, due: due || undefined }, consumer.topics, now)
      const unchanged = !failed && due === 0 && event.setback === undefined
      consumer.giveBack(event, unchanged ? undefined : setback)
    } else {
      consumer.settle(event)
    }
    this.#held.delete(event)
    return undefined
  }

  /** Leases that are to run out are written down as a wait: nobody else hands the event out before. */
  async #close(keep: ReadonlySet<Received>): Promise<void> {
    this.#quiet = true
    const { consumer, closed, options } = this.#parts
    for (const event of this.#held.values()) {
      this.#held.delete(event)
      if (keep.has(event)) consumer.withhold(event, options.clock.now() + options.lease)
      else consumer.giveBack(event, event.setback)
    }
    consumer.part(this)
    // Whoever waits for this session waits no more.
    this.#end.abort()
    consumer.changes.happened()
    await closed()
  }
}
