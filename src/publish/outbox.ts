import type { Transport, TransportPublishOptions } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { checkSizes } from './forwarder.ts'
import { enclosed, outboxQueue } from './outbox-queue.ts'
import { Relay, type RelayParts } from './relay.ts'

export interface OutboxParts extends Omit<RelayParts, 'outbox'> {
  readonly store: Transport
  /** The transport, as far as it is known without reaching it. */
  readonly target: () => Promise<Transport>
  /** Whether the first publish starts the relay. */
  readonly relays: boolean
}

/** Where an app publishes in transactions, when its transport is another system. */
export class Outbox {
  readonly relay: Relay
  readonly #parts: OutboxParts
  #opening: Promise<Transport> | undefined

  /** @throws MillraceError OUTBOX_UNSUPPORTED */
  constructor(parts: OutboxParts) {
    const { store } = parts
    if (store.features.transactions === false)
      throw new MillraceError(
        'OUTBOX_UNSUPPORTED',
        `${store.system} cannot hold an outbox: it has no transactions`,
      )
    this.#parts = parts
    this.relay = new Relay({ ...parts, outbox: () => this.open() })
  }

  /** The store, with the queue of the outbox. A failure is not remembered. */
  open(): Promise<Transport> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #open(): Promise<Transport> {
    const { store } = this.#parts
    await store.declare([outboxQueue])
    return store
  }

  /**
   * Writes the events within the transaction of the caller; they are sent on when that has committed. Waits for no queue to be
   * made, which may have to wait for this very transaction: until there is one they are kept as unrouted, and it finds them there.
   * @throws PublishError
   */
  async publish(events: readonly Outgoing[], options: TransportPublishOptions): Promise<void> {
    const { store, target } = this.#parts
    const { features } = await target()
    checkSizes(events, Math.min(features.maxBytes, store.features.maxBytes))
    await store.publish(
      events.map((event) => enclosed(event, store.features)),
      options,
    )
    this.#begin().catch((cause: unknown) => this.#failed(cause))
  }

  async #begin(): Promise<void> {
    if (this.#parts.relays) await this.relay.start()
    else await this.open()
  }

  async close(): Promise<void> {
    await this.#parts.store.close()
  }

  #failed(cause: unknown): void {
    const message = 'The outbox could not be opened to relay from it; the next publish tries again'
    this.#parts.reporter.notice({ code: 'CONNECTION_LOST', message, queue: outboxQueue.name, cause })
  }
}
