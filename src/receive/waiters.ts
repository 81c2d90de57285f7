import type { Held } from './held.ts'

interface Waiter {
  held: Held | undefined
  readonly resolved: () => void
  readonly rejected: (error: unknown) => void
}

/** Waits for the promises of handlers. What waited for one waits for another later: to make functions for each event costs more. */
export class Waiters {
  readonly #resolved: (held: Held) => void
  readonly #rejected: (held: Held, error: unknown) => void
  readonly #idle: Waiter[] = []

  constructor(resolved: (held: Held) => void, rejected: (held: Held, error: unknown) => void) {
    this.#resolved = resolved
    this.#rejected = rejected
  }

  wait(held: Held, pending: Promise<unknown>): void {
    const waiter = this.#idle.pop() ?? this.#make()
    waiter.held = held
    pending.then(waiter.resolved, waiter.rejected)
  }

  #make(): Waiter {
    const waiter: Waiter = {
      held: undefined,
      resolved: () => {
        const held = this.#free(waiter)
        if (held !== undefined) this.#resolved(held)
      },
      rejected: (error) => {
        const held = this.#free(waiter)
        if (held !== undefined) this.#rejected(held, error)
      },
    }
    return waiter
  }

  /** undefined if it waits for nothing: one that is idle twice would be two events' at a time. */
  #free(waiter: Waiter): Held | undefined {
    const { held } = waiter
    if (held === undefined) return undefined
    waiter.held = undefined
    this.#idle.push(waiter)
    return held
  }
}
