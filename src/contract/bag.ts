/** What can stand in a bag. It is in at most one at a time, so that it can carry its own place. */
export interface BagItem {
  /** Where it stands in its bag; belongs to the bag. */
  slot: number
}

/**
 * Objects that come and go all the time, in no order. A `Set` hashes each that comes: of what an event costs between a claim
 * and its acknowledgement, that is a tenth.
 */
export class Bag<T extends BagItem> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  has(item: T): boolean {
    return this.#items[item.slot] === item
  }

  /** It must not be in yet. */
  add(item: T): void {
    item.slot = this.#items.push(item) - 1
  }

  /** Gives false if it was not in. */
  delete(item: T): boolean {
    if (!this.has(item)) return false
    const last = this.#items.pop() as T
    if (last !== item) {
      this.#items[item.slot] = last
      last.slot = item.slot
    }
    return true
  }

  /** All that are in now: what comes or goes while somebody looks through them changes nothing for him. */
  values(): readonly T[] {
    return this.#items.slice()
  }
}
