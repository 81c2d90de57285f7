import type { Features } from '../contract/features.ts'
import type { TransactionStore } from '../contract/transaction-types.ts'
import type { Transport, TransportPublishOptions } from '../contract/transport.ts'
import type { Outgoing } from '../event/outgoing.ts'

/** The transaction of one run of a handler. */
interface Run {
  readonly events: Outgoing[]
}

/**
 * Stands in for a database where an app under test publishes in transactions. Those of callers it cannot follow, so what is published in
 * them counts at once. Those of transactional queues are its own: they come one after another, and what is published
 * in one counts when its handler has succeeded.
 */
export class TestTransactions implements TransactionStore {
  readonly features: Features
  readonly #transport: Transport
  /** What handlers get. */
  readonly #transaction: object
  readonly #committed: (events: readonly Outgoing[]) => void
  /** What queues have handled. */
  readonly #handled = new Set<string>()
  #run: Run | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(
    features: Features,
    transport: Transport,
    transaction: object,
    committed: (events: readonly Outgoing[]) => void,
  ) {
    this.features = features
    this.#transport = transport
    this.#transaction = transaction
    this.#committed = committed
  }

  /** Whether these are published only if a handler succeeds. */
  awaits(events: readonly Outgoing[]): boolean {
    return events.some((event) => this.#run?.events.includes(event))
  }

  async publish(events: readonly Outgoing[], { transaction }: TransportPublishOptions = {}): Promise<void> {
    if (this.#run !== undefined && transaction === this.#transaction) this.#run.events.push(...events)
    else await this.#transport.publish(events)
  }

  transact(queue: string, id: string, run: (transaction: unknown) => Promise<void>): Promise<void> {
    const ended = this.#last.then(() => this.#transact(`${queue} ${id}`, run))
    this.#last = ended.catch(() => undefined)
    return ended
  }

  async #transact(what: string, run: (transaction: unknown) => Promise<void>): Promise<void> {
    if (this.#handled.has(what)) return
    const { events } = (this.#run = { events: [] })
    try {
      await run(this.#transaction)
    } finally {
      this.#run = undefined
    }
    this.#handled.add(what)
    await this.#transport.publish(events)
    this.#committed(events)
  }
}
