import type { Claimant } from './claims.ts'
import { aside, choose } from './claim-sql.ts'
import type { Database } from './database.ts'

/**
 * A claim looks at so many rows more than it wants. If rows of taken keys fill that, those of every key that has at least
 * `heavy` of them are set aside, and the claim looks again, so many times; then the next claim goes on. Setting a row
 * aside costs about 5 us, once; reading past it costs 0.5 us in each claim. Above `mostKeys` the look for those that are
 * free would cost more than it saves.
 */
export const window = 256
const heavy = 16
const passes = 3
const mostKeys = 256

export interface Choice {
  /** Places in the order, ascending. */
  readonly seqs: readonly number[]
  /** Whether there may be others that this claim did not get to. */
  readonly more: boolean
}

type AsideKey = readonly [key: string, isFree: number]
type Bounds = Claimant & {
  readonly limit: number
  readonly window: number
  readonly heavy: number
  readonly key?: string
}

/** Which events of a queue with order by key may be claimed. Within a write transaction. */
export class KeyOrder {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** The first `limit` of all that may be claimed. */
  choose(me: Claimant, limit: number): Choice {
    const bounds = { ...me, limit, window: window + limit, heavy }
    for (let pass = 0; pass < passes; pass++) {
      const keys = this.#database.arrays<AsideKey>(aside.keys, me)
      const ready = this.#seqs(choose.byKey, bounds)
      if (ready.length === limit || !this.#isFull(bounds)) return this.#withAside(ready, keys, bounds)
      if (keys.length >= mostKeys || this.#database.run(aside.set, bounds) === 0) {
        return this.#withAside(this.#seqs(choose.byKey, { ...bounds, window: -1 }), keys, bounds)
      }
    }
    // What is aside may stand behind rows of its key that were not looked at.
    return { seqs: [], more: true }
  }

  #isFull(bounds: Bounds): boolean {
    return this.#database.get<{ full: number }>(aside.isFull, bounds)!.full === 1
  }

  /** Ready rows and those aside whose key is free, in one order. */
  #withAside(ready: readonly number[], keys: readonly AsideKey[], bounds: Bounds): Choice {
    const free = keys.filter(([, isFree]) => isFree === 1)
    if (free.length === 0) return { seqs: ready, more: false }
    const beside = free.flatMap(([key]) => this.#seqs(aside.ofKey, { ...bounds, key }))
    const seqs = [...ready, ...beside].toSorted((a, b) => a - b).slice(0, bounds.limit)
    return { seqs, more: false }
  }

  #seqs(sql: string, bounds: Bounds): readonly number[] {
    return this.#database.arrays<readonly [seq: number]>(sql, bounds).map(([seq]) => seq)
  }
}
