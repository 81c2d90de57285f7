/*
 * What the compiler sees of an app: the catalog's types put over the untyped engine. Nothing here exists at run time.
 */
import type { Duration } from '../clock/duration.ts'
import type { PublishOptions } from '../contract/publishing.ts'
import type { Transport } from '../contract/transport.ts'
import type { Catalog, EventMap } from '../event/catalog.ts'
import type { MillraceEvent } from '../event/event.ts'
import type { QueueOptions } from './queue-options.ts'

type Names<M extends EventMap> = keyof M & string

/** All prefixes of dotted names: `a.*` and `a.b.*` for `a.b.c`. */
export type Prefix<T extends string> = T extends `${infer Head}.${infer Rest}`
  ? `${Head}.*` | (Rest extends `${string}.${string}` ? `${Head}.${Prefix<Rest>}` : never)
  : never

/** The types of a catalog that a pattern fits. */
export type Match<T extends string, P extends string> = string extends T
  ? P extends `${string}*`
    ? string
    : P
  : P extends '*'
    ? T
    : P extends `${infer Head}.*`
      ? Extract<T, `${Head}.${string}`>
      : Extract<T, P>

/** The events that a handler for the pattern gets: data as the schema's output. */
export type Matched<M extends EventMap, P extends string> = string extends keyof M
  ? MillraceEvent<Match<string, P>>
  : { [K in Names<M>]: MillraceEvent<K, M[K]['out']> }[Match<Names<M>, P>]

/** The events that publish takes: data as the schema's input. */
type Publishable<M extends EventMap> = { [K in Names<M>]: MillraceEvent<K, M[K]['in']> }[Names<M>]

/** A pattern that fits at least one type of the catalog. */
export type Pattern<M extends EventMap> = Names<M> | Prefix<Names<M>> | '*'

/** Publishes events, or one event from its type and data. Resolved means taken, as safe as `transport.features.durable` says. */
export interface Publish<M extends EventMap = EventMap, Tx = unknown> {
  (
    events: Publishable<M> | readonly Publishable<M>[],
    options?: Pick<PublishOptions<Tx>, 'transaction' | 'signal'>,
  ): Promise<void>
  // Last, because the compiler shows the errors of the last overload.
  <K extends Names<M>>(type: K, data: M[K]['in'], options?: PublishOptions<Tx>): Promise<void>
}

/** What a handler gets besides the event. Middlewares add to it. */
export interface Context<M extends EventMap = EventMap, Tx = unknown> {
  /** The name of the queue. */
  readonly queue: string
  /** Failures of this event so far, plus 1. */
  readonly attempt: number
  /** Aborted when the handler has run for `maxHandling`, its lease is lost, or the app stops and its time is over. */
  readonly signal: AbortSignal
  /** Publishes with this event as cause: correlation and causation ids are set. */
  readonly publish: Publish<M, Tx>
  /** Gives the handler this long from now, beyond the lease and beyond `maxHandling`. @throws MillraceError LEASE_LOST */
  extend(by: Duration): Promise<void>
  /** In transactional queues: write through this, and it commits together with the acknowledgement. */
  readonly transaction?: Tx
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

// void: a middleware may just `await next()` and return nothing.
export type Handed<E, A> = Promise<Passed<E, A> | undefined | void>

/** Return or resolve: acknowledged. Throw or reject: tried again. The value is ignored. */
export type Handler<E = MillraceEvent, C = Context> = (event: E, ctx: C) => unknown

/** Around a handler. Must await or return `next()`. */
export type Middleware<E = MillraceEvent, C = Context, E2 = E, A = {}> = (
  event: E,
  ctx: C,
  next: Next<E>,
) => Handed<E2, A>

export type Merge<C, A> = [keyof A] extends [never] ? C : Omit<C, keyof A> & A

/** What a batch handler may return: an outcome for each event, in order (`Promise.allSettled`), or nothing for all well. */
export type BatchOutcome = void | undefined | readonly PromiseSettledResult<unknown>[]

/** A named, durable subscription with its handlers. */
export interface Queue<M extends EventMap = EventMap, C = Context> {
  /** Adds to what every handler of this queue goes through. Before `on`. @throws MillraceError TOO_LATE */
  use<A extends object = {}>(
    middleware: (event: Matched<M, '*'>, ctx: C, next: Next<Matched<M, '*'>>) => Handed<Matched<M, '*'>, A>,
  ): Queue<M, Merge<C, A>>
  /**
   * Handles, and subscribes to, the events of a type, of a prefix (`order.*`), or all (`*`). The most specific pattern wins.
   * @throws MillraceError HANDLER_EXISTS, INVALID_PATTERN, TOO_LATE
   */
  on<P extends Pattern<M>>(pattern: P, handler: (event: Matched<M, P>, ctx: C) => unknown): this
  /**
   * The same for up to `size` events at once (default 100), waiting up to `wait` for more (default 20 ms).
   * Return `Promise.allSettled(...)` for an outcome per event. If it throws as a whole, each is tried again alone.
   */
  onBatch<P extends Pattern<M>>(
    pattern: P,
    options: { size?: number; wait?: Duration },
    handler: (events: readonly Matched<M, P>[], ctx: C) => BatchOutcome | Promise<BatchOutcome>,
  ): this
}

/** The context of a queue made with these options. */
export type QueueContext<M extends EventMap, Tx, C, O> = Merge<Context<M, Tx>, C> &
  (O extends { readonly transactional: true } ? { readonly transaction: Tx } : {})

/** The events of a catalog that fit a pattern, as handlers get them. @example type Placed = EventOf<typeof events, 'order.placed'> */
export type EventOf<C, P extends string> = C extends Catalog<infer M> ? Matched<M, P> : never

/** The type of a handler that is written apart from its queue. `Added` is what middlewares put into the context. */
export type HandlerOf<C, P extends string, Added extends object = {}> =
  C extends Catalog<infer M> ? (event: Matched<M, P>, ctx: Merge<Context<M, never>, Added>) => unknown : never

/** The transaction type of a transport. */
export type TransactionOf<T> = T extends Transport<infer Tx> ? Tx : unknown

export type { QueueOptions }
