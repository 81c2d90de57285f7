import type { Outgoing } from '../event/outgoing.ts'

/** What may wait in one process to be taken: far more than a program has under way that waits for its publishes. */
const mostEvents = 100_000
const mostBytes = 256 * 1024 * 1024

/** Counts what was published and is not taken yet. A producer that outruns its transport is refused before its memory is full. */
export class Backlog {
  #events = 0
  #bytes = 0

  /** Whether there is too much to take more. One call may go beyond it: its events are in memory already. */
  get full(): boolean {
    return this.#events >= mostEvents || this.#bytes >= mostBytes
  }

  /** Gives back a function to call when they are taken, or given up. */
  enter(events: readonly Pick<Outgoing, 'size'>[]): () => void {
    const count = events.length
    const bytes = events.reduce((sum, { size }) => sum + size, 0)
    this.#events += count
    this.#bytes += bytes
    return () => {
      this.#events -= count
      this.#bytes -= bytes
    }
  }
}
