import type { Clock } from '../clock/clock.ts'
import type { Bridge } from '../contract/bridge.ts'
import type { EventSender, PublishOptions, SendOptions, UntypedPublish } from '../contract/publishing.ts'
import type { Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { CatalogRuntime } from '../event/catalog.ts'
import { EventRecord, makeEvent, payloadOf, type EventOptions, type MillraceEvent } from '../event/event.ts'
import { encodeEvent, type Outgoing } from '../event/outgoing.ts'
import { Coalescer } from './coalescer.ts'

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
   * it afterwards changes nothing.
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
  readonly catalog?: CatalogRuntime | undefined
  readonly source?: string | undefined
  readonly clock: Clock
}

/** One publisher for the whole process: coalesces what all its callers publish. */
export class EventPublisher implements Publisher, EventSender {
  readonly publish: UntypedPublish
  readonly #parts: PublisherParts
  readonly #coalescer: Coalescer | undefined
  readonly #hooks = new Set<{ fn: (failure: DeliveryFailure) => void }>()
  readonly #open = new Set<Promise<unknown>>()
  #watch: ((events: readonly Outgoing[]) => void) | undefined
  #closed = false

  constructor(parts: PublisherParts) {
    if ((parts.transport === undefined) === (parts.bridge === undefined)) {
      throw new MillraceError('INVALID_OPTION', 'A publisher needs a transport or a bridge, and not both')
    }
    this.#parts = parts
    this.#coalescer = parts.transport === undefined ? undefined : new Coalescer(parts.transport)
    // async, so that a wrong argument rejects, as everything else that goes wrong does.
    this.publish = async (
      first: string | MillraceEvent | readonly MillraceEvent[],
      second?: unknown,
      third: PublishOptions = {},
    ) =>
      typeof first === 'string'
        ? this.send([this.make(first, second, third)], third)
        : this.send(
            Array.isArray(first) ? (first as readonly MillraceEvent[]) : [first as MillraceEvent],
            (second ?? {}) as SendOptions,
          )
  }

  /** An event with the app's source and topics. */
  make(type: string, data: unknown, options: EventOptions): EventRecord {
    const { source, catalog, clock } = this.#parts
    return makeEvent(type, data, options, {
      now: clock.now(),
      ...(source === undefined ? {} : { source }),
      ...(catalog === undefined ? {} : { topicOf: (t: string) => catalog.topicOf(t) }),
    })
  }

  send(events: readonly MillraceEvent[], options: SendOptions): Promise<void> {
    if (this.#closed) throw new MillraceError('STOPPED', 'The publisher was closed')
    const outgoing = events.map(encodeEvent)
    const work = this.#deliver(events, outgoing, this.#validate(events), options).then(
      () => this.#watch?.(outgoing),
      (error: unknown) => {
        for (const hook of this.#hooks)
          hook.fn({ events, destination: this.#parts.bridge ?? this.#parts.destination, error })
        throw error
      },
    )
    this.#open.add(work)
    const done = (): void => void this.#open.delete(work)
    work.then(done, done)
    return work
  }

  async #deliver(
    events: readonly MillraceEvent[],
    outgoing: readonly Outgoing[],
    checks: readonly Promise<unknown>[],
    options: SendOptions,
  ): Promise<void> {
    if (checks.length > 0) await Promise.all(checks)
    const { bridge, transport } = this.#parts
    if (bridge !== undefined) return bridge.publish(events)
    if (options.transaction === undefined) return this.#coalescer?.publish(outgoing, options.signal)
    const target = await transport?.()
    if (target?.features.transactions !== true) {
      throw new MillraceError(
        'TRANSACTION_UNSUPPORTED',
        `The transport ${target?.system ?? ''} has no transactions`,
      )
    }
    await target.publish(outgoing, {
      transaction: options.transaction,
      ...(options.signal && { signal: options.signal }),
    })
  }

  /** Checks every event against its schema; gives back what is still being checked. */
  #validate(events: readonly MillraceEvent[]): Promise<unknown>[] {
    const { catalog } = this.#parts
    if (catalog === undefined) return []
    const pending: Promise<unknown>[] = []
    for (const event of events) {
      const data = event instanceof EventRecord ? event[payloadOf].fresh() : event.data
      const result = catalog.parse(event.type, data)
      if (result instanceof Promise) pending.push(result)
    }
    return pending
  }

  /** Calls `fn` with what was taken, as it travels: for a test kit. */
  watch(fn: (events: readonly Outgoing[]) => void): void {
    this.#watch = fn
  }

  /** Whether publishes are under way. */
  get busy(): boolean {
    return this.#open.size > 0
  }

  async drain(): Promise<void> {
    while (this.#open.size > 0) await Promise.allSettled(this.#open)
    await this.#parts.bridge?.drain()
  }

  onDeliveryFailure(fn: (failure: DeliveryFailure) => void): () => void {
    const hook = { fn }
    this.#hooks.add(hook)
    return () => void this.#hooks.delete(hook)
  }

  /** Refuses further publishes and waits for those under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.drain()
    await this.#parts.bridge?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
