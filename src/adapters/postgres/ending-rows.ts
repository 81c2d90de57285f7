import type { Clock } from '../../clock/clock.ts'
import { Opening } from '../../contract/opening.ts'
import type { Database } from './database.ts'
import { openDatabase, type DatabaseOptions, type OpenDatabase } from './open-database.ts'
import { Sweep } from './sweep.ts'

/** Rows of a table that has a column `ends`, as one store or one object for locks uses it: by connections of its own. */
export class EndingRows {
  readonly #opening: Opening<OpenDatabase & { readonly sweep: Sweep }>
  #durable: 'fsync' | 'process' = 'fsync'

  /** @param batch how many rows that are over one transaction removes */
  constructor(table: string, batch: number, options: DatabaseOptions, clock: Clock) {
    this.#opening = new Opening(async () => {
      const opened = await openDatabase(options)
      if (opened.weakness !== undefined) this.#durable = 'process'
      return { ...opened, sweep: new Sweep(opened.database, clock, { sql: over(table), batch }) }
    })
  }

  /** The usual one until the server has told its settings. */
  get durable(): 'fsync' | 'process' {
    return this.#durable
  }

  /** @throws as `openDatabase` */
  use(): Promise<{ readonly database: Database; readonly sweep: Sweep }> {
    return this.#opening.use()
  }

  async close(): Promise<void> {
    const opened = await this.#opening.found()
    await opened?.sweep.close()
    await opened?.close()
  }
}

/** `ends` of a row that stays so many milliseconds from now. The clock is read anew, also where a statement has waited for another. */
export function endOf(ttl: string): string {
  return `clock_timestamp() + ${ttl}::float8 * interval '1 ms'`
}

/** What somebody else is at is left to him, so that nobody waits in a circle. */
function over(table: string): string {
  return `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM ${table} WHERE ends <= statement_timestamp() ORDER BY ends LIMIT $1 FOR UPDATE SKIP LOCKED
  ))`
}
