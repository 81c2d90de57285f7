import { httpIngress } from './adapters/http/index.ts'
import {
  relayAlone,
  swapParts,
  verifiesSenders,
  type AppParts,
  type Relaying,
  type Swappable,
  type SwappedParts,
  type Verifying,
} from './app-tools.ts'
import type { App, AppOptions, QueueStats } from './app-types.ts'
import { systemClock } from './clock/clock.ts'
import { milliseconds, type Duration } from './clock/duration.ts'
import { ReplaceableClock } from './clock/replaceable-clock.ts'
import { within } from './clock/within.ts'
import { ingressTarget, type IngressSource, type IngressTarget, type Logger } from './contract/ingress.ts'
import type { TransactionStore } from './contract/transaction-types.ts'
import type { Notice, Received, Transport } from './contract/transport.ts'
import type { DeadLetterRecord } from './contract/dead-letter.ts'
import { deadLettersOf, letterOfReceived, type DeadLetter, type DeadLetters } from './dead-letters.ts'
import { MillraceError } from './errors/millrace-error.ts'
import { runtimeOf, type CatalogRuntime, type EventMap } from './event/catalog.ts'
import { defaultSource } from './event/event.ts'
import { defaultTopic } from './event/names.ts'
import { Hooks } from './report/hooks.ts'
import { outboxQueue } from './publish/outbox-queue.ts'
import { Outbox, type OutboxParts } from './publish/outbox.ts'
import { EventPublisher } from './publish/publisher.ts'
import { defaultTimeout, EventReceiver } from './receive/receiver.ts'
import { hookFailed, Reporter, stderrLogger } from './report/reporter.ts'
import type { QueueOptions } from './receive/typed.ts'
import { UrlTransport } from './url.ts'

export type { App, AppOptions, QueueStats } from './app-types.ts'

/**
 * An app on a transport. Opens nothing: the first `publish` or `start()` does.
 * @throws MillraceError UNKNOWN_TRANSPORT, INVALID_OPTION, OUTBOX_UNSUPPORTED
 */
export function millrace<M extends EventMap = EventMap, Tx = unknown>(
  options: AppOptions<M, Tx>,
): App<M, Tx> {
  return new MillraceApp(options as unknown as AppOptions) as unknown as App<M, Tx>
}

/** What may still take time after the deadline of a stop: handlers and settlements, unsent events, the relay, then closing. */
const graceForReceiving = 1_690
const graceForPublishing = 1_700
const graceForRelaying = 1_850
const graceForClosing = 1_950

class MillraceApp implements Swappable, Verifying, Relaying, IngressSource, AsyncDisposable {
  readonly publisher: EventPublisher
  readonly receiver: EventReceiver
  readonly publish: EventPublisher['publish']
  readonly fetch: (request: Request) => Promise<Response>
  readonly [ingressTarget]: IngressTarget
  readonly [verifiesSenders]: boolean
  readonly #clock = new ReplaceableClock(systemClock)
  readonly #logger: Logger | undefined
  readonly #reporter: Reporter
  readonly #deadLetterHooks: Hooks<DeadLetter>
  #outbox: Outbox | undefined
  /** Where the outbox is, or what stands in for it. */
  #store: TransactionStore | undefined
  readonly #relays: boolean
  #transport: Transport
  #opening: Promise<Transport> | undefined
  #stopping: Promise<void> | undefined

  constructor(options: AppOptions) {
    if (options.codec !== undefined)
      throw new MillraceError('UNSUPPORTED', 'There are no codecs in this version')
    this.#transport = asTransport(options.transport)
    this.#logger = options.logger === false ? undefined : (options.logger ?? stderrLogger)
    this.#reporter = new Reporter(this.#logger)
    this.#deadLetterHooks = new Hooks((cause) =>
      this.#reporter.notice(hookFailed('onDeadLetter', cause), 'error'),
    )
    const catalog = options.events === undefined ? undefined : runtimeOf(options.events)
    const source = options.source ?? defaultSource
    const transport = (): Promise<Transport> => this.#open()
    const onDead = (queue: string, received: Received, record: DeadLetterRecord): void =>
      void this.#deadLetterHooks.call(letterOfReceived(queue, received, record))
    this.#relays = options.relay ?? true
    this.#outbox = this.#outboxOf(options, (received, record) => onDead(outboxQueue.name, received, record))
    this.#store = this.#outbox && options.outbox
    this.publisher = new EventPublisher({
      ...(options.bridge === undefined
        ? { transport, outbox: () => this.#outbox ?? this.#store }
        : { transport: undefined, bridge: options.bridge }),
      destination: this.#transport.system,
      catalog,
      source,
      clock: this.#clock,
      hookFailed: (cause) => this.#reporter.notice(hookFailed('onDeliveryFailure', cause), 'error'),
    })
    this.publish = this.publisher.publish
    this.receiver = new EventReceiver({
      transport,
      outbox: () => this.#store,
      publisher: this.publisher,
      catalog,
      clock: this.#clock,
      reporter: this.#reporter,
      onDead,
      stop: () => this.stop(),
    })
    this[ingressTarget] = this.#target(catalog)
    this[verifiesSenders] = options.http?.verify !== undefined
    let ingress: ((request: Request) => Promise<Response>) | undefined
    this.fetch = (request) => (ingress ??= httpIngress(this, options.http))(request)
  }

  get transport(): Transport {
    return this.#transport
  }

  /** Where transactions are, if not in the transport. */
  get outbox(): TransactionStore | undefined {
    return this.#store
  }

  use(middleware: Parameters<EventReceiver['use']>[0]): this {
    this.receiver.use(middleware)
    return this
  }

  queue(name: string, options?: QueueOptions): ReturnType<EventReceiver['queue']> {
    return this.receiver.queue(name, options)
  }

  async start(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#relays && options.signal?.aborted !== true) await this.#outbox?.relay.start()
    await this.receiver.start(options)
  }

  get [relayAlone](): (() => Promise<void>) | undefined {
    return this.#outbox && (() => this.#outbox!.relay.start())
  }

  async stop(options: { timeout?: Duration } = {}): Promise<void> {
    const timeout = milliseconds(options.timeout ?? defaultTimeout, 'timeout')
    this.#stopping ??= this.#stop(timeout)
    return this.#stopping
  }

  /** Every step has its time and its turn, whatever became of the one before. @throws what the first one threw that failed */
  async #stop(timeout: number): Promise<void> {
    const began = systemClock.monotonic()
    const failures: unknown[] = []
    const step = async (work: Promise<void>, grace: number, late: string): Promise<boolean> => {
      try {
        if (await within(work, began + timeout + grace - systemClock.monotonic())) return true
        this.#reporter.notice({ code: 'STOPPED', message: late }, 'error')
      } catch (error) {
        failures.push(error)
      }
      return false
    }
    await step(this.receiver.stop({ timeout }), graceForReceiving, 'The receiver did not stop in time')
    if (!(await step(this.publisher.close(), graceForPublishing, 'Some events were not sent in time')))
      this.publisher.giveUp()
    const relayed = this.#outbox?.relay.stop(began + timeout + graceForReceiving)
    await step(Promise.resolve(relayed), graceForRelaying, 'The relay did not stop in time')
    const closed = Promise.all([this.#transport.close(), this.#outbox?.close()]).then(() => undefined)
    await step(closed, graceForClosing, 'The transport did not close in time')
    if (failures.length > 0) throw failures[0]
  }

  async queues(): Promise<readonly QueueStats[]> {
    const own = (await this.#open()).admin.queues()
    const outbox = (await this.#outbox?.open())?.admin.queues()
    return [...(await own), ...((await outbox) ?? []).filter(({ name }) => name === outboxQueue.name)]
  }

  deadLetters(queue: string): DeadLetters {
    return deadLettersOf(queue, {
      transport: () => this.#keeperOf(queue),
      redriven: () => this.receiver.redriven(queue),
    })
  }

  onDeadLetter(fn: (letter: DeadLetter) => void): () => void {
    return this.#deadLetterHooks.add(fn)
  }

  onNotice(fn: (notice: Notice) => void): () => void {
    return this.#reporter.onNotice(fn)
  }

  pause(queue: string): void {
    this.receiver.pause(queue)
  }

  resume(queue: string): void {
    this.receiver.resume(queue)
  }

  [swapParts](parts: SwappedParts): AppParts {
    if (this.#opening !== undefined)
      throw new MillraceError('TOO_LATE', 'The app is open already: its transport cannot be exchanged')
    if (parts.transport !== undefined) this.#transport = asTransport(parts.transport)
    if (parts.clock !== undefined) this.#clock.replace(parts.clock)
    if (parts.transactions !== undefined) {
      this.#outbox = undefined
      this.#store = parts.transactions
    }
    return this
  }

  /**
   * The transport, with the queues described so far declared: what this app publishes before it starts must reach them.
   * A failure is not remembered, so that a server that was down at first can be reached later.
   */
  #open(): Promise<Transport> {
    if (this.#stopping !== undefined && this.#opening === undefined)
      return Promise.reject(new MillraceError('STOPPED', 'The app was stopped'))
    return this.#opened()
  }

  /** The same also while the app stops: the relay may have something to send yet. */
  #opened(): Promise<Transport> {
    this.#opening ??= this.#declared().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  #keeperOf(queue: string): Promise<Transport> {
    return this.#outbox !== undefined && queue === outboxQueue.name ? this.#outbox.open() : this.#open()
  }

  /** None if it would be the transport itself. @throws MillraceError INVALID_OPTION, OUTBOX_UNSUPPORTED */
  #outboxOf(options: AppOptions, onDead: OutboxParts['onDead']): Outbox | undefined {
    const { outbox: store, transport, bridge } = options
    if (store === undefined || store === transport) return undefined
    if (bridge !== undefined)
      throw new MillraceError('INVALID_OPTION', 'An outbox is relayed to the transport: not with a `bridge`')
    return new Outbox({
      store,
      relays: this.#relays,
      transport: () => this.#opened(),
      target: () => this.#loaded(),
      destination: this.#transport.system,
      clock: this.#clock,
      reporter: this.#reporter,
      onDead,
    })
  }

  /** The transport, which need not be reached for that. */
  async #loaded(): Promise<Transport> {
    return this.#transport instanceof UrlTransport ? this.#transport.load() : this.#transport
  }

  async #declared(): Promise<Transport> {
    const transport = await this.#loaded()
    const specs = this.receiver.specs()
    if (specs.length > 0) await transport.declare(specs)
    return transport
  }

  #target(catalog: CatalogRuntime | undefined): IngressTarget {
    const { publisher } = this
    return {
      get overloaded() {
        return publisher.overloaded
      },
      publish: (events) => publisher.publish(events),
      deliver: (delivery) => this.receiver.deliver(delivery),
      queuesFor: (type) => this.receiver.queuesFor(type),
      topicOf: (type) => (catalog === undefined ? defaultTopic(type) : catalog.topicOf(type)),
      logger: this.#logger,
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

export function asTransport(transport: Transport | string): Transport {
  if (typeof transport === 'string') return new UrlTransport(transport)
  if (typeof transport?.publish === 'function' && typeof transport.open === 'function') return transport
  throw new MillraceError(
    'INVALID_OPTION',
    "Expected `transport` to be a transport or a URL such as 'sqlite:shop.db'",
  )
}
