import type { EventOptions, MillraceEvent } from '../event/event.ts'
import type { TakenOf } from './transaction-types.ts'

/** What can be said of one publish. */
export interface PublishOptions<Tx = unknown> extends EventOptions {
  /** Publish inside this transaction of yours: sent if it commits. Needs a transport with transactions. */
  transaction?: TakenOf<Tx>
  /** Gives up waiting. What was already handed over may still arrive. */
  signal?: AbortSignal
  /**
   * In a handler: makes the id from the handled event, the queue and this key, so that a handler that runs again publishes
   * the same event again, not a second one. Elsewhere (`app.publish`, batch handlers): from the source and this key.
   */
  idempotencyKey?: string
}

/** What can be said of a publish of ready-made events. */
export interface SendOptions {
  readonly transaction?: unknown
  readonly signal?: AbortSignal
}

/** Publish as it is at run time, before the catalog's types are put over it. */
export interface UntypedPublish {
  (events: MillraceEvent | readonly MillraceEvent[], options?: SendOptions): Promise<void>
  (type: string, data: unknown, options?: PublishOptions): Promise<void>
}

/** What handlers publish through. */
export interface EventSender {
  readonly publish: UntypedPublish
  /** An event with the app's source and topics. */
  make(type: string, data: unknown, options: EventOptions): MillraceEvent
}
