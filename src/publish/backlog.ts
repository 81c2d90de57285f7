import type { Outgoing } from '../event/outgoing.ts'

/** What may wait in one process to be taken: far more than a program has under way that waits for its publishes. */
const mostEvents = 100_000
const mostBytes = 256 * 1024 * 1024

type Call = readonly Pick<Outgoing, 'size'>[]

/** What was published and is not taken yet. A producer that outruns its transport is refused before its memory is full. */
export class Backlog {
  readonly #calls = new Set<Call>()
  readonly #watchers = new Set<(left: Call) => void>()
  #events = 0
  #bytes = 0

  /** Whether there is too much to take more. One call may go beyond it: its events are in memory already. */
  get full(): boolean {
    return this.#events >= mostEvents || this.#bytes >= mostBytes
  }

  get empty(): boolean {
    return this.#calls.size === 0
  }

  enter(events: Call): void {
    this.#calls.add(events)
    this.#events += events.length
    for (const { size } of events) this.#bytes += size
  }

  /** They were taken, or given up. */
  leave(events: Call): void {
    this.#calls.delete(events)
    this.#events -= events.length
    for (const { size } of events) this.#bytes -= size
    for (const watch of this.#watchers) watch(events)
  }

  /** Resolves when all that is here now has left. */
  async drained(): Promise<void> {
    if (this.empty) return
    const here = new Set(this.#calls)
    await new Promise<void>((resolve) => {
      const watch = (left: Call): void => {
        if (!here.delete(left) || here.size > 0) return
        this.#watchers.delete(watch)
        resolve()
      }
      this.#watchers.add(watch)
    })
  }
}
