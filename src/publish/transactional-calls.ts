import { Bag } from '../contract/bag.ts'
import { PublishError } from '../contract/publish-error.ts'
import type { Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { Call, givenUp, oversize, settle, type Outcomes } from './call.ts'

/** Where they go: to the outbox if there is one. A bridge, which has neither, takes part in no transaction. */
export interface TransactionTargets {
  readonly transport: (() => Promise<Transport>) | undefined
  readonly outbox?: () => Pick<Transport, 'publish'> | undefined
}

/**
 * Publishes in transactions of the caller's. Each is a call of its own of the transport: who shares a transaction, only the
 * caller can say. What can be known to fail is refused before anything is sent, for a statement that fails spoils the whole
 * transaction.
 */
export class TransactionalCalls {
  readonly #targets: TransactionTargets
  readonly #outcomes: Outcomes
  readonly #underWay = new Bag<Call>()

  constructor(targets: TransactionTargets, outcomes: Outcomes) {
    this.#targets = targets
    this.#outcomes = outcomes
  }

  /** Resolves when all are written; rejects with PublishError. An abort gives up waiting. */
  publish(events: readonly Outgoing[], transaction: unknown, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = new Call(events, this.#outcomes, resolve, reject)
      if (signal?.aborted === true) return call.end(givenUp('PUBLISH_ABORTED', call.results, signal.reason))
      if (events.length === 0) return call.end()
      if (signal !== undefined) {
        call.listen(signal, (reason) => call.end(givenUp('PUBLISH_ABORTED', call.results, reason)))
      }
      this.#underWay.add(call)
      void this.#send(call, transaction, signal).finally(() => this.#underWay.delete(call))
    })
  }

  /** Waits no longer: what is not answered is rejected as stopped. */
  giveUp(): void {
    for (const call of this.#underWay.values()) call.end(givenUp('STOPPED', call.results, undefined))
  }

  async #send(call: Call, transaction: unknown, signal: AbortSignal | undefined): Promise<void> {
    try {
      const target = this.#targets.outbox?.() ?? (await this.#transport(call.events))
      if (call.ended) return
      for (const item of call.items) item.outcome = 'unknown'
      await target.publish(call.events, { transaction, ...(signal && { signal }) })
      for (const item of call.items) settle(item, 'taken')
    } catch (error) {
      const results = error instanceof PublishError ? error.results : call.results
      call.items.forEach((item, i) => settle(item, results[i] ?? 'unknown', error))
    }
  }

  /** @throws MillraceError TRANSACTION_UNSUPPORTED, EVENT_TOO_LARGE */
  async #transport(events: readonly Outgoing[]): Promise<Transport> {
    const transport = await this.#targets.transport?.()
    if (transport === undefined || transport.features.transactions === false) {
      const text = transport === undefined ? 'A bridge' : `The transport ${transport.system}`
      throw new MillraceError('TRANSACTION_UNSUPPORTED', `${text} has no transactions`)
    }
    for (const event of events) {
      const error = oversize(event, transport.features.maxBytes)
      if (error !== undefined) throw error
    }
    return transport
  }
}
