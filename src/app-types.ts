import type { HttpIngressOptions } from './adapters/http/index.ts'
import type { Duration } from './clock/duration.ts'
import type { Bridge } from './contract/bridge.ts'
import type { IngressSource, Logger } from './contract/ingress.ts'
import type { Notice, Transport } from './contract/transport.ts'
import type { QueueCounts } from './contract/transport-admin.ts'
import type { DeadLetter, DeadLetters } from './dead-letters.ts'
import type { Catalog, EventMap } from './event/catalog.ts'
import type { Publisher } from './publish/publisher.ts'
import type { Receiver } from './receive/receiver.ts'
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

/** How things stand in a queue, counted by the transport over all processes. */
export type QueueStats = QueueCounts

export interface AppOptions<M extends EventMap = EventMap, Tx = unknown> {
  /** An instance, such as `sqlite('shop.db')`, or a URL, such as `sqlite:shop.db`. */
  transport: Transport<Tx> | string
  /**
   * Where `publish(..., { transaction })` goes when the transport is another system: it is written there with your own writes,
   * and relayed to the transport after the commit. Needs `features.transactions`. Apps that share an outbox share the transport, too.
   */
  outbox?: Transport<Tx>
  /** false: this process leaves the relaying of the outbox to others, such as `millrace relay`. Default true. */
  relay?: boolean
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
  /** Every queue of the transport, those of other apps included, and that of the outbox, `millrace.outbox`. */
  queues(): Promise<readonly QueueStats[]>
  /** Those of a queue; of `millrace.outbox`: what the transport refuses for good. */
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
