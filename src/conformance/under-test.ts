import type { ManualClock } from '../clock/manual-clock.ts'
import type { Transport } from '../contract/transport.ts'

/** What the suite needs to know of the transport it tests. */
export interface TransportUnderTest {
  /** A transport on a system that may hold queues of other tests: names are never used twice. Closed by the suite. */
  open(): Transport | Promise<Transport>
  /** A second instance on the system of the transport that was opened last, as another process would have it. */
  reopen?(): Transport | Promise<Transport>
  /**
   * Begins a transaction as a caller would, on the system of the transport that was opened last, with what the caller has of
   * their own. Needed where `features.transactions` is not false.
   */
  begin?(): CallersTransaction | Promise<CallersTransaction>
  /** The clock that the transport counts with, if it can be a manual one; the suite moves it instead of waiting. */
  readonly clock?: ManualClock
  /** Cases that cannot pass, by their names, each with its reason. */
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
  /** How long one wait of a case may take before the case fails. Default 10,000 ms. */
  readonly patience?: number
  /** How long a case watches for something that must not come. Default 50 ms. */
  readonly watch?: number
}

/** A transaction of a caller. One of `commit` and `rollback` is called once, and lets go of what the caller had for it. */
export interface CallersTransaction {
  /** What the caller gives to `publish`. */
  readonly transaction: unknown
  readonly commit: () => unknown
  readonly rollback: () => unknown
}
