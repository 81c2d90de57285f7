import { Heap } from './heap.ts'
import type { Entry } from './stored-event.ts'

/** Entries in the order of their sequences. New ones come in that order and are appended; those that come back need a heap. */
export class Line {
  readonly #fresh: (Entry | undefined)[] = []
  #next = 0
  #returned: Heap<Entry> | undefined

  peek(): Entry | undefined {
    const fresh = this.#fresh[this.#next]
    const returned = this.#returned?.peek()
    if (fresh === undefined || returned === undefined) return fresh ?? returned
    return fresh.sequence < returned.sequence ? fresh : returned
  }

  push(entry: Entry): void {
    const last = this.#fresh.at(-1)
    if (last === undefined || last.sequence < entry.sequence) this.#fresh.push(entry)
    else (this.#returned ??= new Heap((a, b) => a.sequence < b.sequence)).push(entry)
  }

  shift(): Entry | undefined {
    const first = this.peek()
    if (first === undefined) return undefined
    if (first !== this.#fresh[this.#next]) return this.#returned?.pop()
    this.#fresh[this.#next++] = undefined
    // What is left is moved only when at least as much was taken, so that moving costs O(1) for each event.
    if (this.#next * 2 >= this.#fresh.length) {
      this.#fresh.splice(0, this.#next)
      this.#next = 0
    }
    return first
  }
}
