import type { Outgoing } from '../event/outgoing.ts'

/** What may wait in one process to be taken: far more than a program has under way that waits for its publishes. */
const mostEvents = 100_000
const mostBytes = 256 * 1024 * 1024

type Call = readonly Pick<Outgoing, 'size'>[]

/** Somebody who waits until all that was there when he came has left. */
interface Drain {
  /** Calls that he waits for. */
  left: number
  /** Those that came after him. */
  readonly later: Set<Call>
  readonly ended: () => void
}

/** What was published and is not taken yet. A producer that outruns its transport is refused before its memory is full. */
export class Backlog {
  /*
   * Calls are counted and not kept: what comes and goes all the time does not belong into a Set or a Map. Each time these grow, the old table
   * refers to the new one, and once one has grown old, all that come after it, and what they hold, live until the next major collection.
   */
  #calls = 0
  readonly #drains = new Set<Drain>()
  #events = 0
  #bytes = 0

  /** Whether there is too much to take more. One call may go beyond it: its events are in memory already. */
  get full(): boolean {
    return this.#events >= mostEvents || this.#bytes >= mostBytes
  }

  get empty(): boolean {
    return this.#calls === 0
  }

  enter(events: Call): void {
    this.#calls++
    this.#events += events.length
    for (const { size } of events) this.#bytes += size
    for (const { later } of this.#drains) later.add(events)
  }

  /** They were taken, or given up. */
  leave(events: Call): void {
    this.#calls--
    this.#events -= events.length
    for (const { size } of events) this.#bytes -= size
    for (const drain of this.#drains) {
      if (drain.later.delete(events) || --drain.left > 0) continue
      this.#drains.delete(drain)
      drain.ended()
    }
  }

  /** Resolves when all that is here now has left. */
  async drained(): Promise<void> {
    if (this.empty) return
    await new Promise<void>((ended) => this.#drains.add({ left: this.#calls, later: new Set(), ended }))
  }
}
