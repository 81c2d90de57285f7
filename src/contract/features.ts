/**
 * What a transport promises, each a fact about the system as configured. The engine reads them, the conformance suite
 * tests them, and the docs' matrix prints them; nothing is promised in any other place.
 */
export interface Features {
  /** What a resolved publish has survived: nothing but this process, the death of this process, a power cut, the loss of a server. */
  readonly durable: 'memory' | 'process' | 'fsync' | 'replicated'
  /** What a resolved settlement means: the system said so, it was sent, or it was written down until a commit (`Session.flush`). */
  readonly settlement: 'confirmed' | 'sent' | 'recorded'
  /** What the system does with a settlement whose lease is lost: refuses it; takes a late ack only; cannot tell. */
  readonly fencing: 'strict' | 'late-ack-wins' | 'none'
  /** What the count of failures includes: failures and lone crashes exactly; also some give-backs; failures but no crashes. */
  readonly attempts: 'exact' | 'upper' | 'failures'
  /** When a lease ends: when its time runs out, or only with the session that has it, which the system watches itself. */
  readonly leases: 'timed' | 'session'
  /** How sessions on several instances share a queue: event by event, or by lanes, each of which is with one instance at a time. */
  readonly sharing: 'event' | 'lane'
  /** What `queues()` counts: every event by what becomes of it; or what lies behind a queue's place, of which only the instance at work knows more. */
  readonly counts: 'exact' | 'lag'
  /** How far order by key reaches: all processes of a queue, or the system cannot do it. */
  readonly order: 'key' | 'none'
  /** What order by key can do while an event waits for its retry: hold its key back (park), or let others pass. The first is the default. */
  readonly onRetry: readonly ('park' | 'pass')[]
  /** Whose clock decides when a delayed event is due. A server's counts `Outgoing.delay`; dates that are made of delays are by the publisher's elsewhere. */
  readonly delayClock: 'process' | 'machine' | 'server'
  /** A due event is handed out at most this late, in milliseconds, when a consumer has room. */
  readonly delayResolution: number
  /**
   * For how long a second publish of the same id is recognised, in milliseconds; 0: not at all; waiting: in each queue as
   * long as the first is in it, until it is acknowledged or a dead letter.
   */
  readonly dedupe: number | 'waiting'
  /**
   * What becomes of an event that no queue subscribes to: kept for `retention` until it is redriven; in the log with all
   * others, where a new queue finds it `from: 'beginning'`; an error; or checked now and then and noticed.
   */
  readonly unrouted: 'kept' | 'log' | 'error' | 'checked'
  /** How long waiting, unrouted and dead events are kept, in words. */
  readonly retention: string
  /** Whether several processes can share a queue. */
  readonly processes: boolean
  /** Whether the system delivers only the types a queue subscribes to; else the engine skips the others and counts them. */
  readonly filters: boolean
  /**
   * Whether `publish(..., { transaction })` works, so that the transport can be an outbox: for transactions of callers only
   * ('publish'), or also for transactional queues (true).
   */
  readonly transactions: false | 'publish' | true
  /** The largest `Outgoing.size` in bytes. 8 KiB more are left for the record of a dead letter. */
  readonly maxBytes: number
}
