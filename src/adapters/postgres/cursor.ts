/** How often some of what was read is read again, in milliseconds. */
const rereadEvery = 10_000

export interface Reading {
  readonly from: number
  readonly turns: number
  /** Transactions that were under way before, and where to read from, each, if it has ended by now: arrays as Postgres reads them. */
  readonly transactions: string
  readonly places: string
}

/** From where a reading has begun in the end, and the last place that it found. */
export interface Read {
  readonly from: number
  readonly last: number | null
}

/** What was under way when something was read. */
export interface When {
  readonly snapshot: string
  readonly own: string
}

/**
 * How far a session has read what is ready. Places become visible out of order: a transaction may have drawn its places
 * long before it commits. So of those that were under way when something was read, the cursor keeps where that reading
 * began, and goes back there once they have ended. It began before their first place, for they had no number then, and a
 * transaction has a number before it draws a place. Which have ended, the statement that reads asks its own snapshot: what it sees
 * may have been published after they were committed, so it must see what they have published, too.
 *
 * What another session had locked, and did not take in the end, lies behind the cursor, too. Its transaction is mostly among
 * those under way; for the few that began in between, what was read in the last seconds is read once more.
 */
export class Cursor {
  readonly #monotonic: () => number
  /** By number of transaction: where the reading began that first saw it under way. */
  readonly #pending = new Map<string, number>()
  #place = 0
  /** How often it has gone back. */
  #turns = 0
  #before = 0
  #rereadAt: number

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#rereadAt = monotonic() + rereadEvery
  }

  /** Where a reading begins that begins now: behind this place. */
  begin(): Reading {
    if (this.#monotonic() >= this.#rereadAt) {
      const reached = this.#place
      this.#goBack(this.#before)
      this.#before = reached
      this.#rereadAt = this.#monotonic() + rereadEvery
    }
    return {
      from: this.#place,
      turns: this.#turns,
      transactions: `{${[...this.#pending.keys()].join()}}`,
      places: `{${[...this.#pending.values()].join()}}`,
    }
  }

  reset(): void {
    this.#pending.clear()
    this.#goBack(0)
    this.#before = 0
  }

  /**
   * Takes in a reading. Tells whether the next has to go back. Readings may overlap.
   * @param when which transactions were under way: those that the snapshot names, `xmin:xmax:xid,...`, and those from its end,
   * the first number that none has ended of, to the own one, which was drawn after it
   */
  end({ from, turns }: Reading, read: Read, { snapshot, own }: When): boolean {
    const reached = read.last ?? read.from
    // It may have found so much there that it did not come back to where it was.
    if (read.from < from) this.#goBack(reached)
    // If it has gone back meanwhile, this reading does not lead it away from there.
    if (turns === this.#turns) this.#place = Math.max(this.#place, reached)
    const [, xmax = '', list = ''] = snapshot.split(':')
    const underWay = new Set(list === '' ? [] : list.split(','))
    for (let number = BigInt(xmax); number < BigInt(own); number++) underWay.add(String(number))
    let back = false
    for (const [transaction, began] of this.#pending) {
      if (underWay.has(transaction)) continue
      this.#pending.delete(transaction)
      if (began >= read.from) continue
      this.#goBack(began)
      back = true
    }
    for (const transaction of underWay) {
      this.#pending.set(transaction, Math.min(this.#pending.get(transaction) ?? from, from))
    }
    return back
  }

  #goBack(place: number): void {
    if (place >= this.#place) return
    this.#place = place
    this.#turns++
  }
}
