import type { Clock } from '../clock/clock.ts'
import type { Bridge } from '../contract/bridge.ts'
import { PublishError } from '../contract/publish-error.ts'
import type { EventSender, PublishOptions, SendOptions, UntypedPublish } from '../contract/publishing.ts'
import type { Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { CatalogRuntime } from '../event/catalog.ts'
import {
  defaultSource,
  makeEvent,
  payloadOf,
  type EventOptions,
  type EventRecord,
  type MillraceEvent,
  type Origin,
} from '../event/event.ts'
import { derivedId } from '../event/ids.ts'
import { defaultTopic } from '../event/names.ts'
import { encodeEvent, encodeNew, recordOf, travelled, type Outgoing } from '../event/outgoing.ts'
import { Backlog } from './backlog.ts'
import type { Outcomes } from './call.ts'
import { Coalescer } from './coalescer.ts'
import { Hooks } from '../report/hooks.ts'
import { TransactionalCalls } from './transactional-calls.ts'

/** Events that could not be delivered, as `onDeliveryFailure` reports them. */
export interface DeliveryFailure {
  readonly events: readonly MillraceEvent[]
  /** The name of the transport, or whatever the bridge carries events to. */
  readonly destination: unknown
  readonly error: unknown
}

/** Takes events out of this process. */
export interface Publisher extends AsyncDisposable {
  /**
   * Resolves when the events are as safe as the transport's `features.durable` says. Data is encoded at once, so changing
   * it afterwards changes nothing. While 100,000 events or 256 MiB wait in this process to be taken, more is refused: PUBLISH_OVERLOADED.
   * @throws PublishError, MillraceError DATA_INVALID, UNKNOWN_TYPE, EVENT_TOO_LARGE, STOPPED
   */
  readonly publish: UntypedPublish
  /** Resolves when everything published so far has arrived or failed, and the failure hooks have run. */
  drain(): Promise<void>
  /** Calls `fn` for each publish that failed. Gives back a function that ends this. */
  onDeliveryFailure(fn: (failure: DeliveryFailure) => void): () => void
}

export interface PublisherParts {
  readonly transport: (() => Promise<Transport>) | undefined
  /** The name of the transport, for failure reports. */
  readonly destination?: string | undefined
  readonly bridge?: Bridge | undefined
  /** Where publishes in transactions go instead. */
  readonly outbox?: () => Pick<Transport, 'publish'> | undefined
  readonly catalog?: CatalogRuntime | undefined
  readonly source?: string | undefined
  readonly clock: Clock
  /** Where to say that a failure hook threw. */
  readonly hookFailed?: (error: unknown) => void
}

/** One publisher for the whole process: coalesces what all its callers publish. */
export class EventPublisher implements Publisher, EventSender {
  readonly publish: UntypedPublish
  readonly #parts: PublisherParts
  readonly #origin: Origin
  /** Undefined where a bridge stands in place of the transport. */
  readonly #coalescer: Coalescer | undefined
  readonly #transactional: TransactionalCalls
  readonly #hooks: Hooks<DeliveryFailure>
  readonly #backlog = new Backlog()
  /** Calls of failure hooks under way. */
  readonly #telling = new Set<Promise<void>>()
  #watch: ((events: readonly Outgoing[]) => void) | undefined
  #closed = false

  constructor(parts: PublisherParts) {
    if ((parts.transport === undefined) === (parts.bridge === undefined)) {
      throw new MillraceError('INVALID_OPTION', 'A publisher needs a transport or a bridge, and not both')
    }
    this.#parts = parts
    this.#hooks = new Hooks((error) => parts.hookFailed?.(error))
    const { transport, catalog, clock, source = defaultSource } = parts
    const outcomes: Outcomes = {
      taken: (events) => this.#taken(events),
      failed: (events, error) => this.#failed(events, error),
    }
    this.#coalescer = transport && new Coalescer(transport, outcomes)
    this.#transactional = new TransactionalCalls(parts, outcomes)
    this.#origin = {
      source,
      topicOf: catalog === undefined ? defaultTopic : (type) => catalog.topicOf(type),
      now: () => clock.now(),
    }
    this.publish = (
      first: string | MillraceEvent | readonly MillraceEvent[],
      second?: unknown,
      third: PublishOptions = {},
    ) => {
      // A wrong argument rejects, as everything else that goes wrong does. An async function would do that for 0.4 us an event.
      try {
        if (typeof first === 'string') return this.#sendNew(first, second, this.#identified(third))
        const events = Array.isArray(first) ? (first as readonly MillraceEvent[]) : [first as MillraceEvent]
        return this.#sendMade(events, (second ?? {}) as SendOptions)
      } catch (error) {
        return Promise.reject(error)
      }
    }
  }

  /** Outside of a handler there is no parent to make an id from, so the key must be unique in the source. */
  #identified(options: PublishOptions): PublishOptions {
    if (options.idempotencyKey === undefined || options.id !== undefined) return options
    return { ...options, id: derivedId(options.source ?? this.#origin.source, options.idempotencyKey) }
  }

  /** An event with the app's source and topics. */
  make(type: string, data: unknown, options: EventOptions): EventRecord {
    return makeEvent(type, data, options, this.#origin)
  }

  /** An event made apart from the app does not know the app's source; one that says nothing gets it. */
  #sourced(event: EventRecord): EventRecord {
    const { source } = this.#origin
    return event.source !== defaultSource || source === defaultSource ? event : event.with({ source })
  }

  #sendNew(type: string, data: unknown, options: PublishOptions): Promise<void> {
    if (this.#isFull()) return this.#refuse([this.make(type, data, options)])
    const event = encodeNew(type, data, options, this.#origin)
    const checked = this.#parts.catalog?.parse(type, data)
    return this.#send([event], checked instanceof Promise ? checked : undefined, options)
  }

  #sendMade(events: readonly MillraceEvent[], options: SendOptions): Promise<void> {
    if (this.#isFull()) return this.#refuse(events)
    const records = events.map((event) => this.#sourced(recordOf(event)))
    return this.#send(records.map(encodeEvent), this.#validate(records), options)
  }

  /** Asked before anything is encoded, so that a refusal costs next to nothing. @throws MillraceError STOPPED */
  #isFull(): boolean {
    if (this.#closed) throw new MillraceError('STOPPED', 'The publisher was closed')
    return this.#backlog.full
  }

  #refuse(events: readonly MillraceEvent[]): Promise<never> {
    const text = 'Too many events of this process wait to be taken: await the publishes under way first'
    const results = events.map(() => 'rejected' as const)
    const error = new PublishError(text, { results, retryable: true, code: 'PUBLISH_OVERLOADED' })
    this.#tell(events, error)
    return Promise.reject(error)
  }

  /** Only what travels is held on to: the data that it was made from may be much larger. */
  #send(
    events: readonly Outgoing[],
    checked: Promise<unknown> | undefined,
    options: SendOptions,
  ): Promise<void> {
    this.#backlog.enter(events)
    if (checked === undefined) return this.#handOver(events, options)
    return checked.then(
      () => this.#handOver(events, options),
      (error: unknown) => this.#fail(events, error),
    )
  }

  #handOver(events: readonly Outgoing[], { transaction, signal }: SendOptions): Promise<void> {
    if (transaction !== undefined) return this.#transactional.publish(events, transaction, signal)
    if (this.#coalescer !== undefined) return this.#coalescer.publish(events, signal)
    return this.#bridge(events).then(
      () => this.#taken(events),
      (error: unknown) => this.#fail(events, error),
    )
  }

  async #bridge(events: readonly Outgoing[]): Promise<void> {
    await this.#parts.bridge?.publish(events.map(travelled))
  }

  #taken(events: readonly Outgoing[]): void {
    this.#backlog.leave(events)
    this.#watch?.(events)
  }

  #failed(events: readonly Outgoing[], error: unknown): void {
    this.#backlog.leave(events)
    this.#tell(events.map(travelled), error)
  }

  #fail(events: readonly Outgoing[], error: unknown): never {
    this.#failed(events, error)
    throw error
  }

  /** Whoever published need not wait for hooks; `drain` does. */
  #tell(events: readonly MillraceEvent[], error: unknown): void {
    const destination = this.#parts.bridge ?? this.#parts.destination
    const told = this.#hooks.call({ events, destination, error }).then(() => void this.#telling.delete(told))
    this.#telling.add(told)
  }

  /** Checks every event against its schema. Gives a promise only if one of the schemas does. */
  #validate(records: readonly EventRecord[]): Promise<unknown> | undefined {
    const { catalog } = this.#parts
    if (catalog === undefined) return undefined
    const pending: unknown[] = []
    try {
      for (const record of records) {
        const result = catalog.parse(record.type, record[payloadOf].outgoing)
        if (result instanceof Promise) pending.push(result)
      }
    } catch (error) {
      void Promise.allSettled(pending) // this error is the one that is shown
      throw error
    }
    return pending.length === 0 ? undefined : Promise.all(pending)
  }

  /** Calls `fn` with what was taken, as it travels: for a test kit. */
  watch(fn: (events: readonly Outgoing[]) => void): void {
    this.#watch = fn
  }

  /** Whether more is refused for now, with PUBLISH_OVERLOADED. */
  get overloaded(): boolean {
    return this.#backlog.full
  }

  /** Whether publishes are under way. */
  get busy(): boolean {
    return !this.#backlog.empty || this.#telling.size > 0
  }

  async drain(): Promise<void> {
    await this.#backlog.drained()
    await Promise.all(this.#telling)
    await this.#parts.bridge?.drain()
  }

  onDeliveryFailure(fn: (failure: DeliveryFailure) => void): () => void {
    return this.#hooks.add(fn)
  }

  /** Refuses further publishes and waits for those under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.drain()
    await this.#parts.bridge?.close()
  }

  /** Waits no longer for the transport: what it has not taken is rejected, with PublishError STOPPED. */
  giveUp(): void {
    this.#closed = true
    this.#coalescer?.giveUp()
    this.#transactional.giveUp()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
