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
  return middlewares.reduceRight<Handler>((inner, middleware) => layer(middleware, inner), handler)
}

/**
 * One middleware around what follows. The layer ends when the middleware has ended and every `next()` it called has: an
 * event must not be settled while somebody still works on it.
 */
function layer(middleware: Middleware, inner: Handler): Handler {
  return function middlewareLayer(event, ctx) {
    let calls: readonly NextCall[] = none
    let over = false
    const next: Next = (changed = event, add) => {
      if (over) {
        complain(ctx, 'NEXT_CALLED_TWICE', 'A middleware called next() after it had returned')
        return new NextCall(refuse, changed, ctx) as unknown as Promise<unknown>
      }
      // A refused call is one of the calls too: not awaiting it does not hide it.
      const call = calls.every(({ ended }) => ended)
        ? new NextCall(inner, changed, add === undefined ? ctx : extended(ctx, add))
        : new NextCall(refuse, changed, ctx)
      calls = calls.length === 0 ? [call] : [...calls, call]
      return call as unknown as Promise<unknown>
    }
    const close = (): void | Promise<void> => {
      over = true
      if (calls.some(neglected)) return rest(calls.filter(neglected), ctx)
    }
    return promised(middleware, event, ctx, next).then(
      (value) => close() ?? value,
      async (error: unknown) => {
        // The middleware's own error decides; but the event is not settled while what it left behind still runs.
        await Promise.resolve(close()).catch(() => undefined)
        throw error
      },
    )
  }
}

const none: readonly NextCall[] = []

/** Whether the middleware ended without having waited for it. */
function neglected({ awaited, ended }: NextCall): boolean {
  return !awaited || !ended
}

/** Waits for what a middleware did not wait for. Its failure is the event's. */
async function rest(left: readonly NextCall[], ctx: Context): Promise<void> {
  complain(ctx, 'NEXT_NOT_AWAITED', 'A middleware did not await next(); the event was settled only after it')
  for (const call of left) await call.over
  for (const call of left) call.result()
}

function refuse(): never {
  throw new MillraceError(
    'NEXT_CALLED_TWICE',
    'next() was called again before the first call had ended, or too late',
  )
}

/**
 * Whatever it does, throwing before its first await included, as something to wait for. What is one of ours stays so: a
 * middleware that returns `next()` costs no promise more.
 */
function promised(
  run: Middleware | Handler,
  event: MillraceEvent,
  ctx: Context,
  next: Next = refuse,
): Promise<unknown> {
  try {
    const result = run(event, ctx, next)
    const waits = result instanceof Promise || result instanceof NextCall
    return waits ? (result as Promise<unknown>) : Promise.resolve(result)
  } catch (error) {
    return Promise.reject(error)
  }
}

function complain(ctx: Context, code: NextMisuse, message: string): void {
  const tell = (ctx as { [report]?: (code: NextMisuse, message: string) => void })[report]
  tell?.call(ctx, code, message)
}

/** Defined, not assigned: what is added may take the place of a getter, such as `signal`. */
function extended(ctx: Context, add: object): Context {
  const wider = Object.create(ctx) as Context
  for (const [name, value] of Object.entries(add))
    Object.defineProperty(wider, name, { value, enumerable: true, configurable: true, writable: true })
  return wider
}

/** What `next()` gives back. It is thenable, and so knows whether somebody waited for it; a native promise cannot tell. */
class NextCall {
  /** Resolves when what follows has ended, however: a call that nobody looks at must not be an unhandled rejection. */
  readonly over: Promise<void>
  awaited = false
  ended = false
  #failed = false
  #outcome: unknown

  constructor(inner: Handler, event: MillraceEvent, ctx: Context) {
    this.over = promised(inner, event, ctx).then(
      (value) => this.#end(value, false),
      (error: unknown) => this.#end(error, true),
    )
  }

  #end(outcome: unknown, failed: boolean): void {
    this.ended = true
    this.#failed = failed
    this.#outcome = outcome
  }

  /** Once it has ended: what came of it. Throws what was thrown. */
  result(): unknown {
    if (this.#failed) throw this.#outcome
    return this.#outcome
  }

  // oxlint-disable-next-line unicorn/no-thenable -- being awaited is exactly what must be seen
  then<A, B>(ok?: ((value: unknown) => A) | null, failed?: ((error: unknown) => B) | null): Promise<unknown> {
    this.awaited = true
    return this.over.then(() => {
      if (this.#failed && failed != null) return failed(this.#outcome)
      const value = this.result()
      return ok == null ? value : ok(value)
    })
  }

  catch<B>(failed?: ((error: unknown) => B) | null): Promise<unknown> {
    return this.then(undefined, failed)
  }

  finally(after?: (() => void) | null): Promise<unknown> {
    return this.then(undefined, undefined).finally(after)
  }
}
