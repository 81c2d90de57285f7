import type { Duration } from '../clock/duration.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { MillraceEvent } from '../event/event.ts'
import type { UntypedPublish } from '../contract/publishing.ts'

/** What a handler gets besides the event. */
export interface Context {
  readonly queue: string
  /** Failures of this event so far, plus 1. */
  readonly attempt: number
  /** Aborted when the handler has run for `maxHandling`, its lease is lost, or the app stops and its time is over. */
  readonly signal: AbortSignal
  /** Publishes with this event as cause: correlation and causation ids are set. */
  readonly publish: UntypedPublish
  /** Gives the handler this long from now, beyond the lease and beyond `maxHandling`. @throws MillraceError LEASE_LOST */
  extend(by: Duration): Promise<void>
  /** In transactional queues: write through this, and it commits together with the acknowledgement. */
  readonly transaction?: unknown
}

/** Return or resolve: the event is acknowledged. Throw or reject: it is tried again. */
export type Handler = (event: MillraceEvent, ctx: Context) => unknown
/** Goes on by calling `next`, with another event or more context if it likes. What follows has ended when `next()` resolves. */
export type Next = (event?: MillraceEvent, add?: object) => Promise<unknown>
export type Middleware = (event: MillraceEvent, ctx: Context, next: Next) => Promise<unknown>

/** What a middleware may do wrong with `next`. */
export type NextMisuse = 'NEXT_NOT_AWAITED' | 'NEXT_CALLED_TWICE'

/** A context may carry a way to report what a middleware does wrong. */
export const report: unique symbol = Symbol('millrace.report')

/** The middlewares around the handler, outermost first, as one handler. */
export function compose(middlewares: readonly Middleware[], handler: Handler): Handler {
  if (middlewares.length === 0) return handler
  const chain = middlewares.reduceRight<Handler>(
    (inner, middleware) => (event, ctx) => around(inner, middleware, event, ctx),
    handler,
  )
  return (event, ctx) => passedOn(chain(event, ctx))
}

/**
 * One run of a middleware around what follows. It ends when the middleware has ended and every `next()` it called has: an
 * event must not be settled while somebody still works on it. Gives a promise, or the only call of `next()` if the
 * middleware gave that back: there is nothing else to wait for. No class: the state is that of `next` alone, and this
 * happens for each event and middleware.
 */
function around(inner: Handler, middleware: Middleware, given: MillraceEvent, ctx: Context): unknown {
  let last: NextCall | undefined
  /** calling: the middleware has not given back anything yet. waiting: it has given back a promise. */
  let state: 'calling' | 'waiting' | 'over' = 'calling'
  const next: Next = (event = given, add) => {
    if (state === 'over') {
      complain(ctx, 'NEXT_CALLED_TWICE', 'A middleware called next() after it had returned')
      return new NextCall(refuse, event, ctx, undefined).watch()
    }
    // A refused call is one of the calls too: not awaiting it does not hide it.
    last = some(last, running)
      ? new NextCall(refuse, event, ctx, last)
      : new NextCall(inner, event, add === undefined ? ctx : extended(ctx, add), last)
    return state === 'calling' ? last : last.watch()
  }
  const result = promised(middleware, given, ctx, next)
  if (result === last && last?.before === undefined) {
    state = 'over'
    return result
  }
  state = 'waiting'
  for (let call = last; call !== undefined; call = call.before) call.watch()
  return result.then(
    (value) => {
      state = 'over'
      return rest(last, ctx) ?? value
    },
    async (error: unknown) => {
      state = 'over'
      // The middleware's own error decides; but the event is not settled while what it left behind still runs.
      await rest(last, ctx)?.catch(() => undefined)
      throw error
    },
  )
}

/** Whether this call or one before it is so. */
function some(last: NextCall | undefined, is: (call: NextCall) => boolean): boolean {
  for (let call = last; call !== undefined; call = call.before) if (is(call)) return true
  return false
}

function running({ ended }: NextCall): boolean {
  return !ended
}

/** Whether the middleware ended without having waited for it. */
function neglected({ awaited, ended }: NextCall): boolean {
  return !awaited || !ended
}

/** What a middleware did not wait for, if there is something. Its failure is the event's. */
function rest(last: NextCall | undefined, ctx: Context): Promise<void> | undefined {
  return some(last, neglected) ? waitFor(last, ctx) : undefined
}

async function waitFor(last: NextCall | undefined, ctx: Context): Promise<void> {
  complain(ctx, 'NEXT_NOT_AWAITED', 'A middleware did not await next(); the event was settled only after it')
  const left: Promise<unknown>[] = []
  for (let call = last; call !== undefined; call = call.before)
    if (neglected(call)) left.unshift(call.promise)
  await Promise.allSettled(left)
  for (const promise of left) await promise
}

function refuse(): never {
  throw new MillraceError(
    'NEXT_CALLED_TWICE',
    'next() was called again before the first call had ended, or too late',
  )
}

/** Whatever it does, throwing before its first await included, as something to wait for. What is one of ours stays so. */
function promised(middleware: Middleware, event: MillraceEvent, ctx: Context, next: Next): Promise<unknown> {
  try {
    const result: unknown = middleware(event, ctx, next)
    return result instanceof NextCall ? result : (promiseOf(result) ?? Promise.resolve(result))
  } catch (error) {
    return Promise.reject(error)
  }
}

function passedOn(result: unknown): unknown {
  return result instanceof NextCall ? result.passOn() : result
}

/**
 * undefined for what is no promise. What has a `then` of its own is wrapped: it may do anything, such as call back twice. Not by
 * `Promise.resolve`, which gives back a native promise as it is, whatever `then` somebody put on it.
 */
export function promiseOf(value: unknown): Promise<unknown> | undefined {
  if (value instanceof Promise && value.then === Promise.prototype.then) return value
  const thenable =
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  return thenable ? new Promise((resolve) => resolve(value)) : undefined
}

function complain(ctx: Context, code: NextMisuse, message: string): void {
  const tell = (ctx as { [report]?: (code: NextMisuse, message: string) => void })[report]
  tell?.call(ctx, code, message)
}

/**
 * A copy, not an object that inherits from the context: whatever becomes the prototype of something lives on until the next major
 * collection, and its event with it. Spread, so that what is added may take the place of a getter, such as `signal`.
 */
function extended(ctx: Context, add: object): Context {
  return { __proto__: Object.getPrototypeOf(ctx) as object, ...ctx, ...add } as Context
}

/**
 * What `next()` gives back. It is thenable, and so knows whether somebody waited for it; a native promise cannot tell. But
 * whoever waits does so at the native promise of what follows, so that nothing is lost of what those can do.
 */
class NextCall implements Promise<unknown> {
  /** The call before it, of the same run. */
  readonly before: NextCall | undefined
  awaited = false
  /** Known only of a call that is watched, and a moment later. */
  ended = false
  #watched = false
  #outcome: unknown

  constructor(inner: Handler, event: MillraceEvent, ctx: Context, before: NextCall | undefined) {
    this.before = before
    try {
      const result = passedOn(inner(event, ctx))
      this.#outcome = promiseOf(result) ?? result
    } catch (error) {
      this.#outcome = Promise.reject(error)
    }
  }

  /** What came of it, for somebody further out to wait for: a promise, unless it was none. */
  passOn(): unknown {
    this.awaited = true
    return this.#outcome
  }

  get promise(): Promise<unknown> {
    if (!(this.#outcome instanceof Promise)) this.#outcome = Promise.resolve(this.#outcome)
    return this.#outcome as Promise<unknown>
  }

  /** From now on it can be seen whether it has ended, and its failure is nobody's unhandled rejection. */
  watch(): this {
    if (this.#watched) return this
    this.#watched = true
    const end = (): void => {
      this.ended = true
    }
    this.promise.then(end, end)
    return this
  }

  get [Symbol.toStringTag](): string {
    return 'NextCall'
  }

  #await(): Promise<unknown> {
    this.awaited = true
    return this.watch().promise
  }

  // oxlint-disable-next-line unicorn/no-thenable -- being awaited is exactly what must be seen
  then<A = unknown, B = never>(
    ok?: ((value: unknown) => A | PromiseLike<A>) | null,
    failed?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#await().then(ok, failed)
  }

  catch<B = never>(failed?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<unknown> {
    return this.#await().catch(failed)
  }

  finally(after?: (() => void) | null): Promise<unknown> {
    return this.#await().finally(after)
  }
}
