import type { QueueRuntime } from './queue-runtime.ts'

/** Work that may lie ready in this process, in milliseconds of handling: more would be withheld from other processes. */
const readyWork = 500

/**
 * How many events to hold. Where the user did not say: twice the concurrency, and more only if handlers are so quick that
 * it is gone in a moment. Slow handlers thus leave the backlog to whoever is free.
 */
export class Appetite {
  readonly #fixed: number | undefined
  readonly #least: number
  #settled = 0
  #since: number
  #rate = 0

  constructor({ settings, largestBatch }: QueueRuntime, now: number) {
    this.#fixed = settings.prefetch
    this.#least = Math.max(2 * settings.concurrency, 2 * largestBatch)
    this.#since = now
  }

  /** One event was settled. */
  count(): void {
    this.#settled++
  }

  /** Looks at the pace since it last looked. */
  measure(now: number): void {
    const elapsed = now - this.#since
    if (elapsed < 1) return
    this.#rate = (this.#rate + this.#settled / elapsed) / 2
    this.#since = now
    this.#settled = 0
  }

  /** @param claim the batch that pays for the system */
  target(claim: number): number {
    return this.#fixed ?? Math.max(this.#least, Math.min(claim, Math.ceil(this.#rate * readyWork)))
  }

  /** How many to ask for now; 0 while there is too little room to make it worth an exchange. */
  wanted(held: number, claim: number): number {
    const target = this.target(claim)
    const room = target - held
    return room >= Math.min(target / 2, claim) ? Math.min(room, claim) : 0
  }
}
