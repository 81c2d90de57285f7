import type { Clock } from '../clock/clock.ts'
import type { QueueSpec } from '../contract/transport.ts'
import { isMillraceError, MillraceError } from '../errors/millrace-error.ts'
import { applySchema, type CatalogRuntime } from '../event/catalog.ts'
import type { EventRecord } from '../event/event.ts'
import { matches } from '../event/names.ts'
import type { EventSender } from '../contract/publishing.ts'
import { Batcher, type BatchHandler, type BatchSettings } from './batcher.ts'
import { compose, type Handler, type Middleware } from './chain.ts'
import { HandlerContext, type Handled } from './context.ts'
import { fatal } from './outcome.ts'
import type { QueueDefinition } from './queue-definition.ts'
import type { QueueSettings } from './queue-options.ts'
import { specOf } from './queue-options.ts'
import { Router } from './router.ts'
import { Slots } from './slots.ts'
import type { TimerWatch } from './timer-watch.ts'

/** Where events of one pattern go: the middlewares of app and queue around the handler, composed once. */
export interface Route {
  readonly run: Handler
  readonly batch: boolean
}

/** One queue, ready to handle: the definition compiled. */
export class QueueRuntime {
  readonly name: string
  readonly settings: QueueSettings
  readonly spec: QueueSpec
  readonly slots: Slots
  /** Events of the largest batch; 0 without batches. */
  readonly largestBatch: number
  readonly #router = new Router<Route>()
  readonly #batchers: Batcher[] = []
  readonly #catalog: CatalogRuntime | undefined
  readonly #publisher: EventSender
  readonly #timers: TimerWatch

  constructor(
    definition: QueueDefinition,
    appMiddlewares: readonly Middleware[],
    parts: {
      readonly catalog: CatalogRuntime | undefined
      readonly publisher: EventSender
      readonly clock: Clock
      readonly timers: TimerWatch
    },
  ) {
    this.name = definition.name
    this.settings = definition.settings
    this.#catalog = parts.catalog
    this.#publisher = parts.publisher
    this.#timers = parts.timers
    this.slots = new Slots(this.settings.concurrency)
    const middlewares = [...appMiddlewares, ...definition.middlewares]
    let largest = 0
    for (const { pattern, handler, batch } of definition.handlers) {
      largest = Math.max(largest, batch?.settings.size ?? 0)
      const inner = handler ?? this.#batched(batch, parts.clock)
      this.#router.add(pattern, { run: compose(middlewares, inner), batch: batch !== undefined }, this.name)
    }
    if (largest > 0 && this.settings.transactional) {
      const why = 'its handlers take one event each, whose acknowledgement commits with what they write'
      throw new MillraceError(
        'INVALID_OPTION',
        `The transactional queue '${this.name}' has onBatch(): ${why}`,
      )
    }
    this.largestBatch = largest
    this.spec = specOf(this.name, this.settings, this.#router.patterns, parts.catalog)
  }

  /** Events that wait for their batch to fill. */
  get gathered(): number {
    return this.#batchers.reduce((sum, batcher) => sum + batcher.gathered, 0)
  }

  #batched({ handler, settings }: { handler: BatchHandler; settings: BatchSettings }, clock: Clock): Handler {
    const batcher = new Batcher(handler, settings, this.slots, clock)
    this.#batchers.push(batcher)
    return batcher.join
  }

  /** Starts the batches that wait to be full. */
  flushBatches(): void {
    for (const batcher of this.#batchers) batcher.flush()
  }

  /** Lets no batch start any more that has not. */
  dropBatches(reason: Error): void {
    for (const batcher of this.#batchers) batcher.drop(reason)
  }

  find(type: string): Route | undefined {
    return this.#router.find(type)
  }

  subscribes(type: string): boolean {
    return this.spec.subscriptions.some(({ pattern }) => matches(pattern, type))
  }

  /**
   * One run: decode, validate, middlewares, handler. Rejects or throws if the event was not handled; what becomes of it
   * then is decided by `verdictOn`.
   */
  handle(of: Handled, route: Route | undefined): unknown {
    if (route === undefined) return this.#unhandled(of.event)
    this.#timers.ran()
    const checked = this.#catalog === undefined ? undefined : this.#validate(this.#catalog, of.event)
    return checked === undefined ? this.#run(of, route) : this.#runAfter(checked, of, route)
  }

  #run(of: Handled, route: Route): unknown {
    return route.run(of.event, new HandlerContext(of, this.#publisher))
  }

  /** Apart, so that only an event that waits pays for the closure. */
  #runAfter(checked: Promise<void>, of: Handled, route: Route): Promise<unknown> {
    return checked.then(() => this.#run(of, route))
  }

  #validate(catalog: CatalogRuntime, event: EventRecord): void | Promise<void> {
    try {
      return applySchema(catalog, event)?.catch(refused)
    } catch (error) {
      return refused(error)
    }
  }

  #unhandled(event: EventRecord): void {
    if (this.settings.unhandled === 'skip') return
    const error = new MillraceError(
      'NO_HANDLER',
      `This process has no handler for '${event.type}' in the queue '${this.name}'`,
    )
    throw this.settings.unhandled === 'dead-letter' ? fatal(error) : error
  }
}

/**
 * The data will not fit next time either. What else may go wrong may pass: a newer version may know the type, and a schema
 * may ask somebody who is not there now.
 */
function refused(error: unknown): never {
  throw isMillraceError(error, 'DATA_INVALID') ? fatal(error) : error
}
