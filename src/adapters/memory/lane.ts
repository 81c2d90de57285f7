import { Heap, type HeapItem } from './heap.ts'
import { Line } from './line.ts'
import type { Entry } from './stored-event.ts'

/** Whoever claims: for the queue, the lanes that only this consumer may take from now. */
export interface Consumer {
  readonly lanes: Heap<Lane>
}

/**
 * The events of one key that are due, in a queue with order by key; all other events of a queue share one lane that
 * nobody owns. Its first event may be claimed unless a barrier stands before it.
 */
export class Lane implements HeapItem {
  readonly key: string | undefined
  readonly waiting = new Line()
  /** The consumer that holds events of the key, and how many. */
  owner: Consumer | undefined
  held = 0
  /** The heap it stands in, and by which sequence. */
  heap: Heap<Lane> | undefined
  rank = 0
  slot = -1
  /** Events that nothing behind them may overtake: parked until their retry, or left behind by a holder whose lease ran out. */
  readonly #barriers = new Set<Entry>()
  #firstBarrier = Infinity

  constructor(key: string | undefined) {
    this.key = key
  }

  /** The sequence of the first barrier. */
  get barrier(): number {
    return this.#firstBarrier
  }

  get empty(): boolean {
    return this.held === 0 && this.#barriers.size === 0 && this.waiting.peek() === undefined
  }

  /** The event that may be handed out next, if there is one and nothing stands before it. */
  get first(): Entry | undefined {
    const first = this.waiting.peek()
    return first !== undefined && first.sequence < this.#firstBarrier ? first : undefined
  }

  bar(entry: Entry): void {
    this.#barriers.add(entry)
    this.#firstBarrier = Math.min(this.#firstBarrier, entry.sequence)
  }

  /** A consumer holds few events of a key, so there are few barriers to look through. */
  unbar(entry: Entry): void {
    if (!this.#barriers.delete(entry) || entry.sequence !== this.#firstBarrier) return
    this.#firstBarrier = Infinity
    for (const { sequence } of this.#barriers) this.#firstBarrier = Math.min(this.#firstBarrier, sequence)
  }
}

/** Lanes that a consumer may take from, the one with the oldest event first. */
export function openLanes(): Heap<Lane> {
  return new Heap<Lane>((a, b) => a.rank < b.rank)
}
