import type { StoredEvent } from './stored-event.ts'

const limit = 10_000

/** Events that no queue subscribes to: the latest 10,000, oldest first. */
export class Unrouted {
  #events: StoredEvent[] = []

  keep(event: StoredEvent): void {
    this.#events.push(event)
    if (this.#events.length >= 2 * limit) this.#events = this.#events.slice(-limit)
  }

  /** Gives each event to `route`; those that it takes are unrouted no more. Returns their number. */
  retry(route: (event: StoredEvent) => boolean): number {
    const kept = this.#events.slice(-limit)
    this.#events = kept.filter((event) => !route(event))
    return kept.length - this.#events.length
  }
}
