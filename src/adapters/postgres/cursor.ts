/** How often some of what was read is read again, in milliseconds. */
const rereadEvery = 10_000

/**
 * How far a session has read what is ready. Places become visible out of order: a transaction may have drawn its places
 * long before it commits. So of those that were under way when something was read, the cursor keeps where that reading
 * began, and goes back there once they have ended. It began before their first place, for they had no number then, and a
 * transaction has a number before it draws a place.
 *
 * What another session had locked, and did not take in the end, lies behind the cursor, too. Its transaction is mostly among
 * those under way; for the few that began in between, what was read in the last seconds is read once more.
 */
export class Cursor {
  readonly #monotonic: () => number
  /** By number of transaction: where the reading began that first saw it under way. */
  readonly #pending = new Map<string, number>()
  #place = 0
  #before = 0
  #rereadAt: number

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#rereadAt = monotonic() + rereadEvery
  }

  /** Where the next reading begins: behind this place. */
  get place(): number {
    if (this.#monotonic() >= this.#rereadAt) {
      const reached = this.#place
      this.#place = Math.min(this.#place, this.#before)
      this.#before = reached
      this.#rereadAt = this.#monotonic() + rereadEvery
    }
    return this.#place
  }

  reset(): void {
    this.#pending.clear()
    this.#place = 0
    this.#before = 0
  }

  /**
   * Takes in a reading from `from` to `last`. Tells whether it has to go back.
   * @param snapshot `xmin:xmax:xid,...`, the numbers of the transactions that were under way
   */
  read(from: number, last: number | null, snapshot: string): boolean {
    const list = snapshot.slice(snapshot.lastIndexOf(':') + 1)
    let next = Math.max(from, last ?? from)
    const underWay = new Set(list === '' ? [] : list.split(','))
    let back = false
    for (const [transaction, began] of this.#pending) {
      if (underWay.has(transaction)) continue
      this.#pending.delete(transaction)
      if (began >= from) continue
      next = Math.min(next, began)
      back = true
    }
    for (const transaction of underWay) {
      if (!this.#pending.has(transaction)) this.#pending.set(transaction, from)
    }
    this.#place = next
    return back
  }
}
