/*
 * What the compiler sees of an app: the catalog's types put over the untyped engine. Nothing here exists at run time.
 */
import type { Duration } from '../clock/duration.ts'
import type { PublishOptions } from '../contract/publishing.ts'
import type { GivenOf } from '../contract/transaction-types.ts'
import type { Catalog, EventMap } from '../event/catalog.ts'
import type { MillraceEvent } from '../event/event.ts'
import type { QueueOptions } from './queue-options.ts'

/*
 * `keyof M & string` is written out wherever the compiler may have to show it: of a name it would show no more than the name,
 * where users need the list of types.
 */

/** All prefixes of dotted names: `a.*` and `a.b.*` for `a.b.c`. */
export type Prefix<T extends string> = T extends `${infer Head}.${infer Rest}`
  ? `${Head}.*` | (Rest extends `${string}.${string}` ? `${Head}.${Prefix<Rest>}` : never)
  : never

/** The types of a catalog that a pattern fits. */
export type Match<T extends string, P extends string> = string extends T
  ? P extends `${string}*`
    ? string
    : P
  : P extends T
    ? P
    : P extends '*'
      ? T
      : P extends `${infer Head}.*`
        ? Extract<T, `${Head}.${string}`>
        : never

/** The events that a handler for the pattern gets: data as the schema's output. */
export type Matched<M extends EventMap, P extends string> = string extends keyof M
  ? MillraceEvent<Match<string, P>>
  : { [K in keyof M & string]: MillraceEvent<K, M[K]['out']> }[Match<keyof M & string, P>]

/** The events that publish takes: data as the schema's input. */
type Publishable<M extends EventMap> = { [K in keyof M & string]: MillraceEvent<K, M[K]['in']> }[keyof M &
  string]

/*
 * A method, as the compiler holds only functions to strict variance: a middleware for every app must be able to take the
 * context of one that publishes no more than its catalog's types. What it publishes is checked at run time.
 */
interface PublishMethod<M extends EventMap, Tx> {
  publish(
    events: Publishable<M> | readonly Publishable<M>[],
    options?: Pick<PublishOptions<Tx>, 'transaction' | 'signal'>,
  ): Promise<void>
  // Last, because the compiler shows the errors of the last overload.
  publish<K extends keyof M & string>(type: K, data: M[K]['in'], options?: PublishOptions<Tx>): Promise<void>
}

/** Publishes events, or one event from its type and data. Resolved means taken, as safe as `transport.features.durable` says. */
export type Publish<M extends EventMap = EventMap, Tx = unknown> = PublishMethod<M, Tx>['publish']

/** What a handler gets besides the event. Middlewares add to it. */
export interface Context {
  /** The name of the queue. */
  readonly queue: string
  /** Failures of this event so far, plus 1. */
  readonly attempt: number
  /** Aborted when the handler has run for `maxHandling`, its lease is lost, or the app stops and its time is over. */
  readonly signal: AbortSignal
  /** Publishes with this event as cause: correlation and causation ids are set. */
  readonly publish: Publish
  /** Gives the handler this long from now, beyond the lease and beyond `maxHandling`. @throws MillraceError LEASE_LOST */
  extend(by: Duration): Promise<void>
  /** In transactional queues: write through this, and it commits together with the acknowledgement. */
  readonly transaction?: unknown
}

/** The context of an app's handlers: it publishes what the catalog has. */
export interface AppContext<M extends EventMap, Tx> extends Context {
  readonly publish: Publish<M, Tx>
  readonly transaction?: GivenOf<Tx>
}

declare const passed: unique symbol
/** Only for the compiler: what a `next()` handed on. */
export interface Passed<E, A> {
  readonly [passed]: [E, A]
}

/** Goes on: with the same event, another one, and more context if given. Resolves when what follows has ended. */
export interface Next<E = MillraceEvent> {
  (): Promise<Passed<E, {}>>
  <E2>(event: E2): Promise<Passed<E2, {}>>
  <E2, A extends object>(event: E2, add: A): Promise<Passed<E2, A>>
}

/** What a middleware that returned R handed on; E, the event it got, if that cannot be told. */
export type EventAfter<R, E> = [HandedOn<R>] extends [never] ? E : HandedOn<R>[0]
/** What it added to the context. */
export type AddedBy<R> = [HandedOn<R>] extends [never] ? {} : HandedOn<R>[1]
type HandedOn<R> = Awaited<R> extends infer P ? (P extends Passed<infer E, infer A> ? [E, A] : never) : never

/** Return or resolve: acknowledged. Throw or reject: tried again. The value is ignored. */
export type Handler<E = MillraceEvent, C = Context> = (event: E, ctx: C) => unknown

/**
 * Around any handler. Must await or return `next()`. One that adds to the context, or changes the event, is better written
 * as a function without this type: what it hands on is then known to what follows.
 * @example const log: Middleware = async (event, ctx, next) => { await next(); console.log(ctx.queue, event.type) }
 */
export type Middleware = <E extends MillraceEvent, C extends Context>(
  event: E,
  ctx: C,
  next: Next<E>,
) => Promise<unknown>

/** A middleware in its place: it gets E and C, and what it returns tells what it hands on. */
export type Layer<E, C, R> = (event: E, ctx: C, next: Next<E>) => Promise<R>

export type Merge<C, A> = [keyof A] extends [never] ? C : Omit<C, keyof A> & A

/** What a batch handler may return: an outcome for each event, in order (`Promise.allSettled`), or nothing for all well. */
export type BatchOutcome = void | undefined | readonly PromiseSettledResult<unknown>[]

/** A named, durable subscription with its handlers. */
export interface Queue<M extends EventMap = EventMap, C = Context> {
  /** Adds to what every handler of this queue goes through. Before `on`. @throws MillraceError TOO_LATE */
  use<R>(middleware: Layer<Matched<M, '*'>, C, R>): Queue<M, Merge<C, AddedBy<R>>>
  /**
   * Handles, and subscribes to, the events of a type, of a prefix (`order.*`), or all (`*`). The most specific pattern wins.
   * @throws MillraceError HANDLER_EXISTS, INVALID_PATTERN, TOO_LATE
   */
  on<P extends (keyof M & string) | Prefix<keyof M & string> | '*'>(
    pattern: P,
    handler: (event: Matched<M, P>, ctx: C) => unknown,
  ): this
  /**
   * The same for up to `size` events at once (default 100), waiting up to `wait` for more (default 20 ms).
   * Return `Promise.allSettled(...)` for an outcome per event. If it throws as a whole, each is tried again alone.
   */
  onBatch<P extends (keyof M & string) | Prefix<keyof M & string> | '*'>(
    pattern: P,
    options: { size?: number; wait?: Duration },
    handler: (events: readonly Matched<M, P>[], ctx: C) => BatchOutcome | Promise<BatchOutcome>,
  ): this
}

/** The context of a queue made with these options. */
export type QueueContext<M extends EventMap, Tx, C, O> = Merge<AppContext<M, Tx>, C> &
  (O extends { readonly transactional: true } ? { readonly transaction: GivenOf<Tx> } : {})

/** The events of a catalog that fit a pattern, as handlers get them. @example type Placed = EventOf<typeof events, 'order.placed'> */
export type EventOf<C, P extends string> = C extends Catalog<infer M> ? Matched<M, P> : never

/** The type of a handler that is written apart from its queue. `Added` is what middlewares put into the context. */
export type HandlerOf<C, P extends string, Added extends object = {}> =
  C extends Catalog<infer M>
    ? (event: Matched<M, P>, ctx: Merge<AppContext<M, unknown>, Added>) => unknown
    : never

export type { QueueOptions }
