import { setImmediate as turn } from 'node:timers/promises'
import { Pool, type PoolClient } from 'pg'
import type { PublishOutcome } from '../../src/index.ts'
import { firstTime, type Happening } from './history.ts'
import type { PlannedCall } from './plan.ts'

export interface TransactionsParts {
  readonly url: string
  readonly folder: string
  write(happening: Happening): void
}

/** Transactions of a user of Postgres, on connections of his own. */
export class Transactions {
  readonly #parts: TransactionsParts
  readonly #pool: Pool

  constructor(parts: TransactionsParts) {
    this.#parts = parts
    this.#pool = new Pool({ connectionString: parts.url, allowExitOnIdle: true })
    // What becomes of a connection, its next statement tells.
    this.#pool.on('error', () => undefined)
    this.#pool.on('connect', (client) => client.on('error', () => undefined))
  }

  /** Does the work in a transaction that ends so; `name` is the same when it is repeated. Gives what became of it. */
  async run(
    name: string,
    end: PlannedCall['end'],
    work: (transaction: PoolClient) => Promise<unknown>,
  ): Promise<PublishOutcome> {
    // Nothing is there unless somebody says COMMIT.
    let outcome: PublishOutcome = 'rejected'
    let client: PoolClient | undefined
    try {
      client = await this.#pool.connect()
      await client.query('BEGIN')
      await work(client)
      if (end === 'rolled back') await client.query('ROLLBACK')
      else {
        const isFirst = end !== 'committed' && firstTime(this.#parts.folder, `${end}-${name}`)
        outcome = 'unknown'
        await this.#commit(client, isFirst ? end : 'committed')
        outcome = 'taken'
      }
      client.release()
    } catch (error) {
      client?.release(true)
      this.#parts.write({ what: 'noticed', code: 'TRANSACTION_FAILED', message: String(error) })
    }
    return outcome
  }

  async #commit(client: PoolClient, end: 'committed' | 'cut' | 'killed'): Promise<void> {
    if (end === 'committed') await client.query('COMMIT')
    else if (end === 'cut') {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      const cut = this.#pool.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid])
      await Promise.all([client.query('COMMIT'), cut])
    } else {
      void client.query('COMMIT')
      await turn()
      process.kill(process.pid, 'SIGKILL')
    }
  }
}
