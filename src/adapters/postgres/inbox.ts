import type { Clock } from '../../clock/clock.ts'
import type { PgConnection } from './client.ts'
import type { Database, Runner } from './database.ts'
import { Sweep, type Sweepable } from './sweep.ts'
import { guardedClient } from './transactions/guarded-client.ts'

/** Waits for whoever is in the middle of the same event. */
const remember = 'INSERT INTO {inbox} (queue, id) VALUES ($1, $2) ON CONFLICT DO NOTHING'
const old: Sweepable = {
  sql: `DELETE FROM {inbox} WHERE (queue, id) IN (
    SELECT queue, id FROM {inbox} WHERE at < now() - $2 * interval '1 ms' ORDER BY at LIMIT $1
  )`,
  batch: 1_000,
}

/** What is done with an event in a transaction. */
export type Work = (transaction: unknown) => Promise<void>

/**
 * The ids of what the handlers of transactional queues have handled, for as long as `retention` says: written by the
 * transaction of the handler, so that an event which comes again after that is not handled again.
 */
export class Inbox {
  readonly #database: Database
  readonly #sweep: Sweep

  /** @param retention milliseconds */
  constructor(database: Database, clock: Clock, retention: number) {
    this.#database = database
    this.#sweep = new Sweep(database, clock, old, retention)
  }

  /**
   * Calls `work` in a transaction, unless the queue has handled this id, and then `end`, in it too.
   * @throws as `work`, MillraceError CONNECTION_LOST, a STORE_ code
   */
  async handle(
    queue: string,
    id: string,
    work: Work,
    end: (transaction: Runner) => Promise<void> = async () => {},
  ): Promise<void> {
    await this.#database.transaction(async (transaction, connection: PgConnection) => {
      if ((await transaction.run(remember, queue, id)) === 1) await this.#guarded(connection, work)
      // Last, so that nothing is committed under a lease that was lost meanwhile.
      await end(transaction)
    })
    this.#sweep.soon()
  }

  /** Resolves when nothing is deleted any more. */
  close(): Promise<void> {
    return this.#sweep.close()
  }

  /** The connection serves others afterwards, whatever the handler has forgotten to await. */
  async #guarded(connection: PgConnection, work: Work): Promise<void> {
    const { client, busy, end } = guardedClient(connection)
    try {
      await work(client)
    } catch (error) {
      // The rollback, and the next try with it, would wait for the statement of a handler that was given up.
      if (busy()) this.#database.cancel(connection)
      throw error
    } finally {
      end()
    }
  }
}

/** Beside those of so many transactions one connection renews their leases, one publishes, and one may listen. */
export function connectionsFor(transactions: number, listens: boolean): number {
  return transactions + 2 + Number(listens)
}
