import { httpIngress, type HttpIngressOptions } from './adapters/http/index.ts'
import { systemClock, type Clock } from './clock/clock.ts'
import { milliseconds, type Duration } from './clock/duration.ts'
import { ReplaceableClock } from './clock/replaceable-clock.ts'
import { within } from './clock/within.ts'
import type { Bridge } from './contract/bridge.ts'
import { ingressTarget, type IngressSource, type IngressTarget, type Logger } from './contract/ingress.ts'
import type { Notice, QueueCounts, Transport } from './contract/transport.ts'
import { deadLettersOf, letterOfReceived, type DeadLetter, type DeadLetters } from './dead-letters.ts'
import { MillraceError } from './errors/millrace-error.ts'
import { runtimeOf, type Catalog, type CatalogRuntime, type EventMap } from './event/catalog.ts'
import { defaultSource } from './event/event.ts'
import { defaultTopic } from './event/names.ts'
import { Hooks } from './report/hooks.ts'
import { EventPublisher, type Publisher } from './publish/publisher.ts'
import { defaultTimeout, EventReceiver, type Receiver } from './receive/receiver.ts'
import { hookFailed, Reporter, stderrLogger } from './report/reporter.ts'
import type {
  AddedBy,
  AppContext,
  Layer,
  Matched,
  Merge,
  Publish,
  Queue,
  QueueContext,
  QueueOptions,
} from './receive/typed.ts'
import { UrlTransport } from './url.ts'

/** How things stand in a queue, counted by the transport over all processes. */
export type QueueStats = QueueCounts

export interface AppOptions<M extends EventMap = EventMap, Tx = unknown> {
  /** An instance, such as `sqlite('shop.db')`, or a URL, such as `sqlite:shop.db`. */
  transport: Transport<Tx> | string
  /** Where `publish(..., { transaction })` goes when the transport is another system. No transport can hold one yet. */
  outbox?: Transport<Tx>
  /** Carries what is published, in place of the transport. */
  bridge?: Bridge
  /** The catalog: types and validates what is published and handled. */
  events?: Catalog<M>
  /** The `source` of published events. Default `/millrace`. */
  source?: string
  /** How events are encoded on transports that carry bytes only. Not in this version: giving one is an error, UNSUPPORTED. */
  codec?: unknown
  /** Default: one line on stderr for each failed attempt, dead letter and reconnect. false: none. */
  logger?: Logger | false
  /** How `app.fetch` takes events. */
  http?: HttpIngressOptions
}

/** A publisher and a receiver put together. */
export interface App<M extends EventMap = EventMap, Tx = unknown, C = {}>
  extends AsyncDisposable, IngressSource {
  readonly transport: Transport<Tx>
  readonly publisher: Publisher
  readonly receiver: Receiver
  /** @throws PublishError, MillraceError DATA_INVALID, UNKNOWN_TYPE, EVENT_TOO_LARGE, STOPPED */
  readonly publish: Publish<M, Tx>
  /** Adds to what every handler of every queue goes through. Before the first `on`. @throws MillraceError TOO_LATE */
  use<R>(middleware: Layer<Matched<M, '*'>, Merge<AppContext<M, Tx>, C>, R>): App<M, Tx, Merge<C, AddedBy<R>>>
  /** The queue of this name; made at the first call. Options can be given once. @throws MillraceError QUEUE_EXISTS, INVALID_NAME */
  queue<const O extends QueueOptions = {}>(name: string, options?: O): Queue<M, QueueContext<M, Tx, C, O>>
  /** Resolves when every queue is declared and consuming. Aborting the signal stops the app. */
  start(options?: { signal?: AbortSignal }): Promise<void>
  /** Lets handlers finish for `timeout` (default 10 s), aborts the rest, and closes the transport, an instance of yours included: at most two seconds later. */
  stop(options?: { timeout?: Duration }): Promise<void>
  /** Every queue of the transport, those of other apps included. */
  queues(): Promise<readonly QueueStats[]>
  deadLetters(queue: string): DeadLetters
  /** Calls `fn` for each event that becomes a dead letter in this process. Gives back a function that ends this. */
  onDeadLetter(fn: (letter: DeadLetter) => void): () => void
  /**
   * Calls `fn` with what is worth knowing and fails no call: a connection or a lease lost, a breaker open, a handler stuck. Each has
   * a code, which docs/errors.md explains; it is logged as well. Gives back a function that ends this.
   */
  onNotice(fn: (notice: Notice) => void): () => void
  /** Takes no more events from the queue in this process until `resume`; running handlers finish. @throws MillraceError UNKNOWN_QUEUE */
  pause(queue: string): void
  resume(queue: string): void
  /** Takes events over HTTP: `httpIngress(app, options.http)`. Opens the transport for publishing; does not start queues. */
  readonly fetch: (request: Request) => Promise<Response>
}

/**
 * For the test kit and the command line: puts an app on another transport or clock before it opens, and gives its parts.
 * @throws MillraceError TOO_LATE
 */
export const swapParts: unique symbol = Symbol.for('millrace.swap')
export interface Swappable {
  [swapParts](parts: { transport?: Transport | string; clock?: Clock }): AppParts
}
export type AppParts = Pick<MillraceApp, 'publisher' | 'receiver'>
/** For the command line: whether `app.fetch` checks who sends. What does not is kept on this machine. */
export const verifiesSenders: unique symbol = Symbol.for('millrace.verifies')
export interface Verifying {
  readonly [verifiesSenders]: boolean
}

/**
 * An app on a transport. Opens nothing: the first `publish` or `start()` does.
 * @throws MillraceError UNKNOWN_TRANSPORT, INVALID_OPTION, OUTBOX_UNSUPPORTED
 */
export function millrace<M extends EventMap = EventMap, Tx = unknown>(
  options: AppOptions<M, Tx>,
): App<M, Tx> {
  return new MillraceApp(options as unknown as AppOptions) as unknown as App<M, Tx>
}

/** What may still take time after the deadline of a stop: handlers and settlements, unsent events, then closing. */
const graceForReceiving = 1_690
const graceForPublishing = 1_700
const graceForClosing = 1_900

class MillraceApp implements Swappable, Verifying, IngressSource, AsyncDisposable {
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
  #transport: Transport
  #opening: Promise<Transport> | undefined
  #stopping: Promise<void> | undefined

  constructor(options: AppOptions) {
    if (options.codec !== undefined)
      throw new MillraceError('UNSUPPORTED', 'There are no codecs in this version')
    if (options.outbox !== undefined)
      throw new MillraceError('OUTBOX_UNSUPPORTED', `${options.outbox.system} cannot hold an outbox`)
    this.#transport = asTransport(options.transport)
    this.#logger = options.logger === false ? undefined : (options.logger ?? stderrLogger)
    this.#reporter = new Reporter(this.#logger)
    this.#deadLetterHooks = new Hooks((cause) =>
      this.#reporter.notice(hookFailed('onDeadLetter', cause), 'error'),
    )
    const catalog = options.events === undefined ? undefined : runtimeOf(options.events)
    const source = options.source ?? defaultSource
    const transport = (): Promise<Transport> => this.#open()
    this.publisher = new EventPublisher({
      ...(options.bridge === undefined ? { transport } : { transport: undefined, bridge: options.bridge }),
      destination: this.#transport.system,
      catalog,
      source,
      clock: this.#clock,
      hookFailed: (cause) => this.#reporter.notice(hookFailed('onDeliveryFailure', cause), 'error'),
    })
    this.publish = this.publisher.publish
    this.receiver = new EventReceiver({
      transport,
      publisher: this.publisher,
      catalog,
      clock: this.#clock,
      reporter: this.#reporter,
      onDead: (queue, received, record) => {
        void this.#deadLetterHooks.call(letterOfReceived(queue, received, record))
      },
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

  use(middleware: Parameters<EventReceiver['use']>[0]): this {
    this.receiver.use(middleware)
    return this
  }

  queue(name: string, options?: QueueOptions): ReturnType<EventReceiver['queue']> {
    return this.receiver.queue(name, options)
  }

  start(options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.receiver.start(options)
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
    await step(this.#transport.close(), graceForClosing, 'The transport did not close in time')
    if (failures.length > 0) throw failures[0]
  }

  async queues(): Promise<readonly QueueStats[]> {
    return (await this.#open()).admin.queues()
  }

  deadLetters(queue: string): DeadLetters {
    return deadLettersOf(queue, {
      transport: () => this.#open(),
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

  [swapParts](parts: { transport?: Transport | string; clock?: Clock }): AppParts {
    if (this.#opening !== undefined)
      throw new MillraceError('TOO_LATE', 'The app is open already: its transport cannot be exchanged')
    if (parts.transport !== undefined) this.#transport = asTransport(parts.transport)
    if (parts.clock !== undefined) this.#clock.replace(parts.clock)
    return this
  }

  /**
   * The transport, with the queues described so far declared: what this app publishes before it starts must reach them.
   * A failure is not remembered, so that a server that was down at first can be reached later.
   */
  #open(): Promise<Transport> {
    if (this.#stopping !== undefined && this.#opening === undefined)
      return Promise.reject(new MillraceError('STOPPED', 'The app was stopped'))
    this.#opening ??= this.#declared().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #declared(): Promise<Transport> {
    const transport = this.#transport instanceof UrlTransport ? await this.#transport.load() : this.#transport
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
