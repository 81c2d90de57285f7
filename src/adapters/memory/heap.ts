/** What can stand in a heap. An item is in at most one heap at a time, so that it can carry its own place. */
export interface HeapItem {
  /** Where it stands in its heap; belongs to the heap. */
  slot: number
}

/** A binary heap whose items know their place, so that any of them can be moved or removed in O(log n). */
export class Heap<T extends HeapItem> {
  readonly #items: T[] = []
  readonly #before: (a: T, b: T) => boolean

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    this.#up(item, this.#items.length)
  }

  pop(): T | undefined {
    const first = this.#items[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  remove(item: T): void {
    const last = this.#items.pop()
    if (last === undefined || last === item) return
    last.slot = item.slot
    this.moved(last)
  }

  /** To be called when what the order looks at has changed. */
  moved(item: T): void {
    if (item.slot > 0 && this.#before(item, this.#items[(item.slot - 1) >> 1]!)) this.#up(item, item.slot)
    else this.#down(item, item.slot)
  }

  #up(item: T, from: number): void {
    const items = this.#items
    let slot = from
    while (slot > 0) {
      const parent = items[(slot - 1) >> 1]!
      if (!this.#before(item, parent)) break
      items[slot] = parent
      parent.slot = slot
      slot = (slot - 1) >> 1
    }
    items[slot] = item
    item.slot = slot
  }

  #down(item: T, from: number): void {
    const items = this.#items
    let slot = from
    for (let child = 2 * slot + 1; child < items.length; child = 2 * slot + 1) {
      const right = items[child + 1]
      if (right !== undefined && this.#before(right, items[child]!)) child++
      const smaller = items[child]!
      if (!this.#before(smaller, item)) break
      items[slot] = smaller
      smaller.slot = slot
      slot = child
    }
    items[slot] = item
    item.slot = slot
  }
}
