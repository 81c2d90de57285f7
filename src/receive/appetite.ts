import type { QueueRuntime } from './queue-runtime.ts'

/** Work that may lie ready in this process, in milliseconds of handling: more would be withheld from other processes. */
const readyWork = 500
/** The pace is taken over so many milliseconds at least: in less, chance says more than the handlers. */
const shortest = 10
/** Bytes that may lie ready in this process; events that run at once may be more. */
const readyBytes = 32 * 1024 * 1024

/**
 * How many events to hold. Where the user did not say: twice the concurrency, and more only if handlers are so quick that
 * it is gone in a moment. Slow handlers thus leave the backlog to whoever is free. A system is asked for events, not for bytes,
 * so what is asked for goes by the sizes seen of late.
 */
export class Appetite {
  readonly #fixed: number | undefined
  readonly #least: number
  readonly #atOnce: number
  #settled = 0
  #since: number
  #rate = 0
  #held = 0
  #bytes = 0
  /** What an event takes, in bytes; undefined until one has come. */
  #size: number | undefined

  constructor({ settings, largestBatch }: QueueRuntime, now: number) {
    this.#fixed = settings.prefetch
    this.#least = Math.max(2 * settings.concurrency, 2 * largestBatch)
    this.#atOnce = Math.max(settings.concurrency, largestBatch)
    this.#since = now
  }

  /** An event was taken. Larger ones than before are believed sooner than smaller ones. */
  took(bytes: number): void {
    this.#held++
    this.#bytes += bytes
    const size = this.#size ?? bytes
    this.#size = size + (bytes - size) / (bytes > size ? 2 : 32)
  }

  /** It is held no more. */
  gave(bytes: number): void {
    this.#held--
    this.#bytes -= bytes
    this.#settled++
  }

  /** Looks at the pace since it last looked. */
  measure(now: number): void {
    const elapsed = now - this.#since
    if (elapsed < shortest) return
    this.#rate = (this.#rate + this.#settled / elapsed) / 2
    this.#since = now
    this.#settled = 0
  }

  /**
   * Of quick work, two batches: one is handled while the other is on its way.
   * @param claim the batch that pays for the system
   */
  target(claim: number): number {
    return this.#fixed ?? Math.max(this.#least, Math.min(2 * claim, Math.ceil(this.#rate * readyWork)))
  }

  /**
   * How many to ask for now; 0 while there is too little room to make it worth an exchange.
   * @param leaving how many of those held the same exchange settles
   * @param asked how many were asked for and are on their way
   */
  wanted(claim: number, leaving: number, asked = 0): number {
    const target = this.target(claim)
    const room = target - this.#held - asked + leaving
    return room >= Math.min(target / 2, claim) ? Math.min(room, claim, this.#fitting(asked)) : 0
  }

  /** How many more there is memory for. What may run at once has its place whatever its size. */
  #fitting(asked: number): number {
    const idle = Math.max(this.#atOnce - this.#held - asked, 0)
    if (this.#size === undefined) return idle
    return Math.max(idle, Math.floor((readyBytes - this.#bytes) / Math.max(this.#size, 1)) - asked)
  }
}
