import { systemClock, type Clock } from '../clock/clock.ts'
import { milliseconds, type Duration } from '../clock/duration.ts'
import { within } from '../clock/within.ts'
import type { DeadLetterRecord } from '../contract/dead-letter.ts'
import type { Delivery } from '../contract/delivery.ts'
import type { EventSender } from '../contract/publishing.ts'
import type { Notice, QueueSpec, Received, Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { CatalogRuntime } from '../event/catalog.ts'
import { matches } from '../event/names.ts'
import type { Handler, Middleware } from './chain.ts'
import { deliverTo } from './deliver.ts'
import { LoneGate } from './lone-gate.ts'
import { QueueDefinition } from './queue-definition.ts'
import { checkAgainst, specOf, type QueueOptions } from './queue-options.ts'
import { QueueRuntime } from './queue-runtime.ts'
import type { Reporter } from '../report/reporter.ts'
import { Subscription, type SubscriptionParts } from './subscription.ts'
import { TimerWatch } from './timer-watch.ts'

/** Brings events to handlers. */
export interface Receiver extends AsyncDisposable {
  /** @throws MillraceError HANDLER_EXISTS, INVALID_NAME, INVALID_PATTERN, TOO_LATE */
  on(queue: string, pattern: string, handler: Handler): this
  queueNames(): readonly string[]
  /** The patterns that the queue has handlers for. @throws MillraceError UNKNOWN_QUEUE */
  types(queue: string): readonly string[]
  /** Resolves when every queue is declared and consuming. Aborting the signal stops the receiver. */
  start(options?: { signal?: AbortSignal }): Promise<void>
  /** Lets handlers finish for `timeout` (default 10 s), then aborts their signals; done at the latest two seconds after that. */
  stop(options?: { timeout?: Duration }): Promise<void>
  /** Runs the handler for a delivery that came some other way, and settles it. @throws MillraceError UNKNOWN_QUEUE */
  deliver(delivery: Delivery): Promise<void>
  /** Calls `fn` with what is worth knowing and fails no call: docs/errors.md lists the codes. Gives back a function that ends this. */
  onNotice(fn: (notice: Notice) => void): () => void
}

export interface ReceiverParts {
  readonly transport: () => Promise<Transport>
  /** Where transactions are, if not in the transport. */
  readonly outbox?: () => SubscriptionParts['outbox']
  readonly publisher: EventSender
  readonly catalog: CatalogRuntime | undefined
  readonly clock: Clock
  readonly reporter: Reporter
  readonly onDead?: (queue: string, received: Received, record: DeadLetterRecord) => void
  /** What an aborted start signal stops; default: the receiver. */
  readonly stop?: () => Promise<void>
}

/** For handlers to finish at a stop, in milliseconds. */
export const defaultTimeout = 10_000

/** The one implementation of Receiver; the app adds its own middlewares and queues with options. */
export class EventReceiver implements Receiver {
  readonly #parts: ReceiverParts
  readonly #definitions = new Map<string, QueueDefinition>()
  readonly #middlewares: Middleware[] = []
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #gate: LoneGate
  readonly #timers: TimerWatch
  /** Deliveries under way: no subscription has them, so the gate does not count them. */
  #delivering = 0
  #runtimes: Map<string, QueueRuntime> | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  /** Monotonic time after which a stop aborts handlers. */
  #deadline: number | undefined
  #alive: NodeJS.Timeout | undefined

  constructor(parts: ReceiverParts) {
    this.#parts = parts
    this.#gate = new LoneGate(parts.clock)
    this.#timers = new TimerWatch({
      clock: parts.clock,
      running: () => this.#gate.running + this.#delivering,
      notice: (notice) => parts.reporter.notice(notice),
    })
  }

  get #frozen(): boolean {
    return this.#runtimes !== undefined
  }

  /** @throws MillraceError TOO_LATE */
  use(middleware: Middleware): void {
    if (this.#frozen) throw new MillraceError('TOO_LATE', 'use() of the app came after start()')
    for (const { name, handlers } of this.#definitions.values()) {
      if (handlers.length > 0)
        throw new MillraceError('TOO_LATE', `use() of the app came after on() of the queue '${name}'`)
    }
    this.#middlewares.push(middleware)
  }

  /** Puts a middleware around all others, also after `on`: for a test kit, which watches and changes nothing. */
  surround(middleware: Middleware): void {
    this.#middlewares.unshift(middleware)
  }

  /** Handlers under way. Events that wait for their batch to fill are not among them. */
  get running(): number {
    return this.#gate.running - this.gathered
  }

  /** Events that wait for their batch to fill. */
  get gathered(): number {
    return [...(this.#runtimes?.values() ?? [])].reduce((sum, runtime) => sum + runtime.gathered, 0)
  }

  /** The queue of this name, made if there is none. @throws MillraceError QUEUE_EXISTS, INVALID_NAME, INVALID_OPTION, TOO_LATE */
  queue(name: string, options?: QueueOptions): QueueDefinition {
    const known = this.#definitions.get(name)
    if (known === undefined) {
      if (this.#frozen) throw new MillraceError('TOO_LATE', `queue('${name}') came after start()`)
      const made = new QueueDefinition(name, options, () => this.#frozen)
      this.#definitions.set(name, made)
      return made
    }
    if (options !== undefined) known.configure(options)
    return known
  }

  on(queue: string, pattern: string, handler: Handler): this {
    this.queue(queue).on(pattern, handler)
    return this
  }

  queueNames(): readonly string[] {
    return [...this.#definitions.keys()]
  }

  types(queue: string): readonly string[] {
    return this.#definition(queue).handlers.map((entry) => entry.pattern)
  }

  /** The queues with a handler for the type, or that take everything of their topics. */
  queuesFor(type: string): readonly string[] {
    return this.queueNames().filter((name) => this.types(name).some((pattern) => matches(pattern, type)))
  }

  /** What the queues described so far ask of the transport. A queue that has no handler yet is left out. */
  specs(): readonly QueueSpec[] {
    const described = [...this.#definitions.values()].filter(
      ({ handlers, settings }) => handlers.length > 0 || settings.types || settings.topics,
    )
    return described.map(({ name, settings, handlers }) =>
      specOf(
        name,
        settings,
        handlers.map((entry) => entry.pattern),
        this.#parts.catalog,
      ),
    )
  }

  async start({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.#checkRunning()
    if (this.#starting !== undefined) throw new MillraceError('ALREADY_STARTED', 'start() was called twice')
    if (signal?.aborted === true)
      throw new MillraceError('STOPPED', 'The signal was aborted before the start', { cause: signal.reason })
    const stop = (): void => {
      const { stop: all = () => this.stop() } = this.#parts
      all().catch((cause: unknown) =>
        this.#parts.reporter.notice({ code: 'STOPPED', message: 'The stop failed', cause }, 'error'),
      )
    }
    signal?.addEventListener('abort', stop, { once: true })
    this.#starting = this.#start()
    try {
      await this.#starting
    } catch (error) {
      this.#starting = undefined
      signal?.removeEventListener('abort', stop)
      throw error
    }
  }

  async #start(): Promise<void> {
    const runtimes = this.#compile()
    // A consumer waits for events that may be hours away: that alone must keep the process alive.
    this.#alive = setInterval(() => undefined, 2 ** 30)
    try {
      const outbox = this.#parts.outbox?.()
      const transport = await this.#parts.transport()
      for (const runtime of runtimes.values()) checkAgainst(runtime.name, runtime.settings, transport, outbox)
      this.#checkRunning()
      await transport.declare([...runtimes.values()].map((runtime) => runtime.spec))
      for (const runtime of runtimes.values()) {
        this.#checkRunning()
        const subscription = new Subscription({
          ...this.#parts,
          runtime,
          transport,
          outbox,
          gate: this.#gate,
          onDead: (received, record) => this.#parts.onDead?.(runtime.name, received, record),
        })
        await subscription.open()
        this.#subscriptions.set(runtime.name, subscription)
      }
      this.#checkRunning()
    } catch (error) {
      await this.#stopAll(this.#deadline ?? systemClock.monotonic())
      throw error
    }
  }

  /** A start that a stop overtakes ends there. @throws MillraceError STOPPED */
  #checkRunning(): void {
    if (this.#stopping !== undefined) throw new MillraceError('STOPPED', 'The app was stopped')
  }

  async stop(options: { timeout?: Duration } = {}): Promise<void> {
    const timeout = milliseconds(options.timeout ?? defaultTimeout, 'timeout')
    this.#deadline ??= systemClock.monotonic() + timeout
    this.#stopping ??= this.#stop(this.#deadline)
    return this.#stopping
  }

  async #stop(deadline: number): Promise<void> {
    // start() itself reports why it failed. One that hangs is left behind; it ends when it goes on.
    const started = this.#starting?.catch(() => undefined)
    if (started !== undefined) await within(started, deadline - systemClock.monotonic())
    await this.#stopAll(deadline)
  }

  async #stopAll(deadline: number): Promise<void> {
    const all = [...this.#subscriptions.values()]
    this.#subscriptions.clear()
    await Promise.all(all.map((subscription) => subscription.stop(deadline)))
    this.#timers.stop()
    clearInterval(this.#alive)
  }

  async deliver(delivery: Delivery): Promise<void> {
    this.#definition(delivery.queue)
    const runtime = this.#compile().get(delivery.queue) as QueueRuntime
    this.#delivering++
    await deliverTo(runtime, delivery, this.#parts.reporter).finally(() => this.#delivering--)
  }

  onNotice(fn: (notice: Notice) => void): () => void {
    return this.#parts.reporter.onNotice(fn)
  }

  /** Whether a queue takes nothing because its breaker is open, and only the clock can change that. */
  get resting(): boolean {
    return [...this.#subscriptions.values()].some((subscription) => subscription.resting)
  }

  /** Dead letters were put back into the queue. */
  redriven(queue: string): void {
    this.#subscriptions.get(queue)?.redriven()
  }

  pause(queue: string): void {
    this.#subscription(queue).pause()
  }

  resume(queue: string): void {
    this.#subscription(queue).resume()
  }

  #compile(): Map<string, QueueRuntime> {
    if (this.#runtimes !== undefined) return this.#runtimes
    const { catalog, publisher, clock } = this.#parts
    const runtimes = new Map<string, QueueRuntime>()
    for (const definition of this.#definitions.values()) {
      runtimes.set(
        definition.name,
        new QueueRuntime(definition, this.#middlewares, { catalog, publisher, clock, timers: this.#timers }),
      )
    }
    this.#runtimes = runtimes
    return runtimes
  }

  #definition(queue: string): QueueDefinition {
    const definition = this.#definitions.get(queue)
    if (definition !== undefined) return definition
    throw new MillraceError(
      'UNKNOWN_QUEUE',
      `This app has no queue '${queue}'. It has: ${this.queueNames().join(', ') || 'none'}`,
    )
  }

  #subscription(queue: string): Subscription {
    this.#definition(queue)
    const subscription = this.#subscriptions.get(queue)
    if (subscription !== undefined) return subscription
    throw new MillraceError(
      'STOPPED',
      `The queue '${queue}' is not consuming: the app has not started, or was stopped`,
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
