import type { Claimant } from './claims.ts'
import { enoughData, type Choice } from './choice.ts'
import { aside, ready, state, window } from './claim-sql.ts'
import type { Database } from './database.ts'
import type { MessageRow } from './stored-event.ts'

/** Setting a row aside costs about 20 us, once, and bringing it back as much; reading past it costs 1 us in each claim. */
const many = 128
/** Rows that a claim reads past, unless it has found nothing by then and could set nothing aside: the next one goes on. */
const most = 1_024

type OrderedRow = readonly [...row: MessageRow, state: number]

/**
 * Which events of a queue with order by key may be claimed. Within a write transaction.
 *
 * Before every row that is aside stands one of its key that is not: it is held, parked or ready. So somebody will settle
 * it, and that brings the next ones back; no time that passes and no lease that ends can make a row free that is aside.
 */
export class KeyOrder {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** The first `limit` of all that may be claimed and are not aside. What stands in the way of that is set aside, if it is much. */
  choose(me: Claimant, limit: number): Choice {
    const rows: MessageRow[] = []
    const behind: number[] = []
    let past = 0
    let size = 0
    let more = false
    for (const row of this.#database.each<OrderedRow>(ready.byKey, me)) {
      if (row[8] === state.free) {
        rows.push(row as unknown as MessageRow)
        size += row[7].length
      } else {
        past++
        if (row[8] === state.behind) behind.push(row[0])
      }
      if (rows.length === limit) break
      more = size >= enoughData || (past >= most && (rows.length > 0 || behind.length >= many))
      if (more) break
    }
    if (behind.length >= many) this.#database.run(aside.set, JSON.stringify(behind))
    return { rows, more }
  }

  /** Once events of these keys are settled: in all a window of rows, at least one of each key. */
  bringBack(queue: number, settled: Iterable<string>): void {
    const keys = this.#database.arrays<readonly [key: string, first: number]>(aside.keys, {
      queue,
      keys: JSON.stringify([...new Set(settled)]),
    })
    if (keys.length === 0) return
    const beside = this.#database.arrays<readonly [seq: number, key: string]>(aside.beside, { queue, window })
    const share = Math.max(Math.floor(window / keys.length), 1)
    for (const [key, first] of keys) {
      // What came back before and is still ready is enough; more would only be set aside again.
      const count = share - beside.filter(([seq, of]) => of === key && seq < first).length
      if (count > 0) this.#database.run(aside.bringBack, { queue, key, count })
    }
  }
}
