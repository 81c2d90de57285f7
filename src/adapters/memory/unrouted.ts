import type { StoredEvent } from './stored-event.ts'

const limit = 10_000

/** Events that no queue subscribes to: the latest 10,000, oldest first. */
export class Unrouted {
  #events: (StoredEvent | undefined)[] = []
  #first = 0
  #bytes = 0

  /** What they take in memory, about. */
  get bytes(): number {
    return this.#bytes
  }

  keep(event: StoredEvent): void {
    this.#events.push(event)
    this.#bytes += event.size
    if (this.#events.length - this.#first > limit) this.drop()
  }

  /** Gives up the oldest event, if there is one. */
  drop(): void {
    const oldest = this.#events[this.#first]
    if (oldest === undefined) return
    this.#events[this.#first++] = undefined
    this.#bytes -= oldest.size
    // What is left is moved only when at least as much was dropped, so that moving costs O(1) for each event.
    if (this.#first * 2 >= this.#events.length) {
      this.#events.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** Gives each event to `route`; those that it takes are unrouted no more. Returns their number. */
  retry(route: (event: StoredEvent) => boolean): number {
    const before = this.#events.slice(this.#first) as StoredEvent[]
    this.#events = before.filter((event) => !route(event))
    this.#first = 0
    this.#bytes = this.#events.reduce((sum, event) => sum + (event?.size ?? 0), 0)
    return before.length - this.#events.length
  }
}
