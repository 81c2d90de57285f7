import type { Clock } from '../clock/clock.ts'
import type { ErrorCode } from '../errors/codes.ts'
import type { MillraceError } from '../errors/millrace-error.ts'
import type { EventHead } from '../event/event.ts'
import type { Outgoing } from '../event/outgoing.ts'
import type { Raw } from '../event/payload.ts'
import type { DeadLetterRecord, FailureTrail } from './dead-letter.ts'
import type { Features } from './features.ts'
import type { TransportAdmin } from './transport-admin.ts'

/*
 * What a driver implements. These comments are the specification; `millrace/conformance` tests them.
 * All that systems share lives once, in the engine: coalescing of publishes, leases and their renewal, back-pressure,
 * retry policy, the order of keys within a process, what dead letters say. A driver moves events and keeps its word.
 * Heads and data are copied on the way in and on the way out: whoever writes into an object changes only their own.
 */

declare const transaction: unique symbol

/** A system that has topics and queues. Tx is the type of its transactions; never if it has none. */
export interface Transport<Tx = unknown> extends AsyncDisposable {
  /** Its name for people and metrics: `memory`, `sqlite`, `kafka`. */
  readonly system: string
  readonly features: Features
  readonly admin: TransportAdmin
  /** Only for the compiler: carries Tx. */
  readonly [transaction]?: Tx
  /**
   * How many calls of `publish` may be under way at once, as long as no two of them have a key in common. One if left out: then each
   * waits for the one before, or its `placed`. It may be another number with each call.
   */
  readonly overlaps?: number
  /**
   * Makes the queues and adds to their subscriptions, durably, before it resolves: an event published later reaches them.
   * Idempotent, and safe when several processes do it at once. Adds only; nothing is ever unsubscribed here. A queue keeps
   * the `order` it was made with (where `features.order` is 'none', without): another wish is told in `kept`, and opening
   * the queue with it is INVALID_OPTION.
   */
  declare(queues: readonly QueueSpec[]): Promise<DeclareReport>
  /**
   * Takes the events in their order, each into every queue that subscribes to it. Resolves when they are as safe as
   * `features.durable` says. Rejects with PublishError if some were not taken; then it says which, and an event behind
   * a failed one of the same key was not taken either. A signal that is aborted beforehand: PUBLISH_ABORTED, nothing taken.
   * A transaction where there are none: TRANSACTION_UNSUPPORTED.
   */
  publish(events: readonly Outgoing[], options?: TransportPublishOptions): Promise<void>
  /**
   * As an outbox, for an event of another transport: calls `run` in a transaction of its own, remembers in it that the queue
   * has handled this id, and commits. If the queue has, does nothing. Rejects as `Session.transact` does.
   */
  transact?(queue: string, id: string, run: (transaction: unknown) => Promise<void>): Promise<void>
  /**
   * As an outbox: so many more may be in `transact` at a time, until the returned function is called. What cannot have as
   * many connections, and two more, throws: INVALID_OPTION.
   */
  reserve?(transactions: number): () => void
  /** Begins to consume a declared queue; UNKNOWN_QUEUE if there is none. Several sessions on one queue, in any process, compete for its events. */
  open(queue: string, options: SessionOptions): Promise<Session>
  /** Closes the sessions that are still open, as their own close would; everything but closing rejects with STOPPED from then on. Idempotent. */
  close(options?: { readonly signal?: AbortSignal }): Promise<void>
}

export interface TransportPublishOptions {
  /**
   * The caller's transaction, in the system's own type: the events are there if it commits, in the order of these calls, and
   * none is if it does not. Never commits or rolls it back. Something else, or one that is over: TRANSACTION_INVALID.
   */
  readonly transaction?: unknown
  readonly signal?: AbortSignal
  /**
   * To be called, once at most, when whatever is published from now on comes behind these events, and only making them safe
   * is left: the next call may begin while this one does that. Without it, each call waits for the one before, unless they
   * may overlap (`Transport.overlaps`). What fails after it is of unknown outcome; but if any event behind them is taken, they are there, too.
   */
  readonly placed?: () => void
}

export interface QueueSpec {
  readonly name: string
  /** What it subscribes to: patterns of types, each with the topic its events come from (`*` for every topic but those that begin with `millrace.`). */
  readonly subscriptions: readonly Subscription[]
  /**
   * For a queue that is new: whether it also gets what was published before. What 'beginning' finds, `features.unrouted`
   * says: 'kept': the kept events, which no queue had, those of transactions that are not committed yet included, if they are; each new queue of this call gets a copy, later ones do not. 'log':
   * whatever is still in its topics, whoever had it. 'error' and 'checked': nothing, as 'now'.
   */
  readonly from: 'now' | 'beginning'
  /** Whether events of one key are to be handed to one session at a time, in their order. */
  readonly order: boolean
}

export interface Subscription {
  readonly topic: string
  /** A type, a prefix that ends in `.*`, or `*`. */
  readonly pattern: string
}

export interface DeclareReport {
  readonly created: readonly string[]
  /** What the system has and this declare did not ask for, in words; it was left alone. */
  readonly kept: readonly string[]
}

/** One consumer's session. Not used concurrently except where `pulls` says so; `extend` may overlap anything. */
export interface Session {
  /** How many events one exchange should ask for to be worth its cost, as things are now. */
  readonly claim: number
  /** How many exchanges may overlap. */
  readonly pulls: number
  /** Where leases end with their session: until when nobody else can have what it holds, by the monotonic clock. */
  readonly certainUntil?: number
  /**
   * Settles and claims, in one round trip where the system can. Never waits for events. Of equal claim to both: events
   * that are due, in their order, none of which another session holds; with order by key also none whose key another
   * session holds, or whose key has an event parked or lapsed before it. `lapsed` asks for at most so many, besides `max`, of those whose
   * holder let the lease run out; such an event is never among the others, and runs at once: with order by key it is handed out only
   * while nobody holds another of its key, this session neither.
   * Their order, with order by key: as they were published, within a key. What is given back without a delay, or parked,
   * keeps its place. What is delayed, or retried without `park`, stands outside of the order; once it is due it comes at
   * its old place or in turn with new events, as the system can, and new ones never hold it up for good.
   * If it rejects, nothing was claimed as far as the caller knows, and the settlements are sent again: doing so is safe.
   * After `removeQueue` it rejects with UNKNOWN_QUEUE, and settlements are 'gone'.
   */
  exchange(request: ExchangeRequest): Promise<ExchangeResult>
  /**
   * Resolves when there may be something to take, at once if there is now, also if that came or lapsed since the last
   * exchange; when the queue is removed; or when the signal is aborted. Not again for lapsed events that the last exchange
   * told of: whoever may not take them yet would spin. With order by key an ack, too, can make another event takeable.
   * After `quiesce` it waits for the signal or the close; after `close` it resolves. Never rejects.
   */
  ready(signal: AbortSignal): Promise<void>
  /** Settles only. Results in the order of the list; undefined: all done. */
  settle(list: readonly Settlement[]): Promise<readonly SettleResult[] | undefined>
  /** Makes the leases end `ms` from now. 'lost' for what this session no longer holds, settled events included. */
  extend(list: readonly Received[], ms: number): Promise<readonly ('ok' | 'lost')[]>
  /**
   * Where settlements become safer after they were answered: resolves when all so far are. Where `features.settlement` is
   * 'recorded', they are confirmed then; on a disk, they survive a power cut.
   */
  flush?(): Promise<void>
  /** No new events from now on; `settle` and `extend` still work. */
  quiesce(): Promise<void>
  /**
   * Where `features.transactions` is true: calls `run` in a transaction of its own, which nobody else's statements get into,
   * then acknowledges the event in it, and commits. Events published in it (`TransportPublishOptions.transaction`), what `run`
   * writes, and the acknowledgement are there together or not at all. Afterwards a settlement of the event is 'gone'. Rejects
   * as `run` does; with LEASE_LOST if this session does not hold the event any more; or if the system fails. Then nothing of
   * it is there, unless the commit itself has failed: that may be there. `extend` goes on beside it.
   */
  transact?(of: Received, run: (transaction: unknown) => Promise<void>): Promise<void>
  /** Gives back what is not settled, except `keep`, whose leases are left to run out. Then `exchange`, `settle` and `extend` reject with STOPPED. Idempotent. */
  close(options?: { readonly keep?: readonly Received[] }): Promise<void>
}

export interface ExchangeRequest {
  readonly settle: readonly Settlement[]
  /** At most so many events. 0: none. */
  readonly max: number
  readonly lapsed?: number
}

export interface ExchangeResult {
  readonly received: readonly Received[]
  /** In the order of `settle`; undefined: all done. */
  readonly settled?: readonly SettleResult[] | undefined
  /** Whether events wait whose lease ran out and that this session may take. The engine then asks for them one at a time, when nothing else runs. */
  readonly lapsed?: boolean
}

/**
 * done; gone: this entry of the queue is there no more (an ack that is repeated after a cut connection finds this: a
 * success); lost: it is there, but this lease does not hold it, whoever does; nothing was changed; or an error, nothing
 * was changed and it may be tried again. A lease that ran out and that nobody has taken over may still hold, as the system can.
 */
export type SettleResult = 'done' | 'gone' | 'lost' | MillraceError

/** An event as a driver hands it out. It is its own lease: settling and extending take this very object. */
export interface Received {
  readonly id: string
  readonly type: string
  readonly key: string | undefined
  /** Failures so far, plus 1. A claim that was given back or a crash among others does not count. */
  readonly attempt: number
  /** Whether its last holder let the lease run out: it was claimed by `lapsed`. */
  readonly lapsed: boolean
  /** The part of the stream it came from, where the system has such (a Kafka partition). */
  readonly lane?: string | undefined
  /** The other attributes. May be a getter that decodes on demand, and may throw DECODE_FAILED. */
  readonly head: EventHead
  readonly data: Raw
  /** Bytes that the event takes in memory, about, where that is known without decoding. Default: the length of `data`, which is then read at once. */
  readonly size?: number
  /** What `retry` left with it; undefined at the first attempt. */
  readonly trail: FailureTrail | undefined
}

export interface Settlement {
  readonly of: Received
  /**
   * ack: handled, gone for good. retry: one failure more, due again after `delay`; `trail` is kept with it.
   * release: free again at its place, lapsed no more, no failure counted, due after `delay`. dead: a dead letter of this queue, with `record`;
   * if that cannot be written, the event stays as it is.
   * A retry, release or redrive reaches this queue only, never the topic.
   */
  readonly as: 'ack' | 'retry' | 'release' | 'dead'
  /** Milliseconds; default 0. */
  readonly delay?: number
  /**
   * For a retry or a delayed release in a queue with order by key: until it is due, no event behind it in its key is handed
   * out; then it comes before them. One that stands before it may be handed out or wait, too, as the system can.
   */
  readonly park?: boolean
  readonly trail?: FailureTrail
  readonly record?: DeadLetterRecord
}

export interface SessionOptions {
  /** Milliseconds that a claim holds without being extended. */
  readonly lease: number
  /** As in the queue's spec. */
  readonly order: boolean
  /**
   * How many events may be in `transact` at a time. What cannot have as many connections, and two more, rejects the opening:
   * INVALID_OPTION.
   */
  readonly transactions?: number
  readonly clock: Clock
  notice(notice: Notice): void
  /** The system takes lanes away: their events are released or lost when the returned promise settles, at the latest at `deadline` (monotonic). */
  onRevoke(lanes: readonly string[], deadline: number): void | Promise<void>
  /** These leases are lost, the system says by itself: the handlers' signals are aborted. Where leases end by time, `extend` says it soon enough. */
  onLost(list: readonly Received[]): void
}

/** Something worth knowing that is no failure of a call. */
export interface Notice {
  /** docs/errors.md says what each means and what to do about it. */
  readonly code: ErrorCode
  readonly message: string
  readonly queue?: string
  /** Type and id of the event that it is about, if it is about one. */
  readonly type?: string
  readonly id?: string
  readonly cause?: unknown
}
