import type { Duration } from '../clock/duration.ts'
import type { MillraceEvent } from '../event/event.ts'

/** One event, handed out once, to be settled once: the same everywhere. */
export interface Delivery {
  readonly event: MillraceEvent
  readonly queue: string
  /** Failures so far, plus 1. */
  readonly attempt: number
  /** Handled. @throws MillraceError ALREADY_SETTLED, LEASE_LOST */
  ack(): Promise<void>
  /** Not handled: try again after `delay` (default: at once). Counts one failure. */
  retry(options?: { delay?: Duration; error?: unknown }): Promise<void>
  /** Never handle it again: keep it as a dead letter. */
  deadLetter(error: unknown): Promise<void>
  /** Keeps the lease for this long from now. */
  extend(by: Duration): Promise<void>
  /** ack if the promise resolves, retry if it rejects. */
  settle(result: Promise<unknown>): Promise<void>
}
