import type { Notice } from '../../contract/transport.ts'
import type { Database } from './database.ts'

export interface WakeUpOptions {
  readonly wake: 'notify' | 'interval' | 'both'
  /** Milliseconds. */
  readonly pollInterval: number
}

interface Queue {
  count: number
  readonly waiting: Set<() => void>
  readonly sharing: Set<() => void>
}

/** Tells the sessions that there may be something to take. */
export class WakeUp {
  readonly #options: WakeUpOptions
  readonly #queues = new Map<number, Queue>()

  constructor(_database: Database, options: WakeUpOptions) {
    this.#options = options
  }

  /** How often a session that waits looks by itself, in milliseconds. */
  get pollEvery(): number {
    return Math.min(this.#options.pollInterval, 100)
  }

  /** Grows whenever there may be something new. */
  count(queue: number): number {
    return this.#queue(queue).count
  }

  /** Begins to listen for a session, which hears of degradation, and of slots that move. Returns the end of it. */
  join(queue: number, _notice: (notice: Notice) => void, slotsMove: () => void): () => void {
    const { sharing } = this.#queue(queue)
    sharing.add(slotsMove)
    return () => void sharing.delete(slotsMove)
  }

  /** Calls `run` at every hint until it is taken back. */
  onHint(queue: number, run: () => void): () => void {
    const { waiting } = this.#queue(queue)
    waiting.add(run)
    return () => void waiting.delete(run)
  }

  /** For everybody: something was committed that others may take from these queues. */
  announce(queues: Iterable<number>): void {
    for (const queue of queues) this.hint(queue)
  }

  /** For everybody: slots of the queue are wanted, or free. */
  announceSlots(queue: number): void {
    for (const run of this.#queue(queue).sharing) run()
  }

  /** For sessions of this process. */
  hint(id: number): void {
    const queue = this.#queue(id)
    queue.count++
    for (const run of queue.waiting) run()
  }

  async close(): Promise<void> {}

  #queue(id: number): Queue {
    let queue = this.#queues.get(id)
    if (queue === undefined) {
      queue = { count: 0, waiting: new Set(), sharing: new Set() }
      this.#queues.set(id, queue)
    }
    return queue
  }
}
