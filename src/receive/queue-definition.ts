import { milliseconds, type Duration } from '../clock/duration.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { checkName, checkPattern } from '../event/names.ts'
import type { BatchHandler, BatchSettings } from './batcher.ts'
import type { Handler, Middleware } from './chain.ts'
import { settingsOf, whole, type QueueOptions, type QueueSettings } from './queue-options.ts'

/** A pattern with its handler, for single events or for batches. */
export type HandlerEntry = { readonly pattern: string } & (
  | { readonly handler: Handler; readonly batch?: undefined }
  | {
      readonly handler?: undefined
      readonly batch: { readonly handler: BatchHandler; readonly settings: BatchSettings }
    }
)

/** A queue as the user describes it, until the app starts. */
export class QueueDefinition {
  readonly name: string
  readonly middlewares: Middleware[] = []
  readonly handlers: HandlerEntry[] = []
  #settings: QueueSettings
  #configured: boolean
  readonly #frozen: () => boolean

  /** @param frozen tells whether the app has started */
  constructor(name: string, options: QueueOptions | undefined, frozen: () => boolean) {
    this.name = checkName(name, 'queue')
    this.#settings = settingsOf(options ?? {})
    this.#configured = options !== undefined
    this.#frozen = frozen
  }

  get settings(): QueueSettings {
    return this.#settings
  }

  /** @throws MillraceError QUEUE_EXISTS */
  configure(options: QueueOptions): void {
    if (this.#configured)
      throw new MillraceError('QUEUE_EXISTS', `The queue '${this.name}' already has options`)
    this.#check('queue')
    this.#settings = settingsOf(options)
    this.#configured = true
  }

  /** Adds to what every handler of the queue goes through. @throws MillraceError TOO_LATE */
  use(middleware: Middleware): this {
    this.#check('use')
    if (this.handlers.length > 0)
      throw new MillraceError('TOO_LATE', `use() of the queue '${this.name}' came after on()`)
    this.middlewares.push(middleware)
    return this
  }

  /** Handles events whose type fits the pattern. @throws MillraceError HANDLER_EXISTS, INVALID_PATTERN, TOO_LATE */
  on(pattern: string, handler: Handler): this {
    return this.#add({ pattern: checkPattern(pattern), handler: checkFunction(pattern, handler) })
  }

  /** Handles them in batches of up to `size` (default 100), waiting up to `wait` (default 20 ms) for more. */
  onBatch(pattern: string, options: { size?: number; wait?: Duration }, handler: BatchHandler): this {
    const settings = {
      size: whole(options.size ?? 100, 'size'),
      wait: milliseconds(options.wait ?? 20, 'wait'),
    }
    return this.#add({
      pattern: checkPattern(pattern),
      batch: { handler: checkFunction(pattern, handler), settings },
    })
  }

  #add(entry: HandlerEntry): this {
    this.#check('on')
    if (this.handlers.some(({ pattern }) => pattern === entry.pattern)) {
      throw new MillraceError(
        'HANDLER_EXISTS',
        `The queue '${this.name}' already has a handler for '${entry.pattern}'`,
      )
    }
    this.handlers.push(entry)
    return this
  }

  #check(call: string): void {
    if (this.#frozen())
      throw new MillraceError('TOO_LATE', `${call}() of the queue '${this.name}' came after start()`)
  }
}

function checkFunction<F>(pattern: string, handler: F): F {
  if (typeof handler === 'function') return handler
  throw new MillraceError('INVALID_OPTION', `The handler for '${pattern}' is not a function`)
}
