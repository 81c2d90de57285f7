import type { Claimant } from './claims.ts'
import { choose, type Choice } from './choice.ts'
import { aside, ready, window } from './claim-sql.ts'
import type { Database } from './database.ts'

/**
 * If rows of taken keys fill the window, they are set aside, and the claim looks again, so many times; then the next
 * claim goes on. Setting a row aside costs about 15 us, once; reading past it costs 0.5 us in each claim.
 */
const passes = 3

type Bounds = Claimant & {
  readonly limit: number
  readonly window: number
}

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

  /** The first `limit` of all that may be claimed and are not aside. */
  choose(me: Claimant, limit: number): Choice {
    const bounds = { ...me, limit, window: window + limit }
    for (let pass = 1; ; pass++) {
      const choice = this.#read(bounds)
      const { rows, more } = choice
      if (more || rows.length === limit || !this.#isFull(bounds)) return choice
      if (this.#database.run(aside.set, bounds) > 0 && pass < passes) continue
      if (rows.length > 0 || pass === passes) return { rows, more: true }
      return this.#read({ ...bounds, window: -1 })
    }
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

  #isFull(bounds: Bounds): boolean {
    return this.#database.get<{ full: number }>(aside.isFull, bounds)!.full === 1
  }

  #read(bounds: Bounds): Choice {
    return choose(this.#database, ready.byKey, bounds)
  }
}
