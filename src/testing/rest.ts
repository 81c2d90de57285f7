import { readable } from '../clock/duration.ts'
import type { AppParts } from '../app-tools.ts'
import type { MemoryTransport } from '../adapters/memory/memory-transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Runs } from './runs.ts'

/**
 * All that the engine does by itself, it does within the next turn of the event loop. More than one, because what it
 * does may have been ordered by a promise that passes through several hands.
 */
const quietTurns = 3
/** Handler runs without a rest: more than any test needs, soon reached by two handlers that call each other for ever. */
const mostRuns = 50_000

/**
 * Tells when an app has come to rest: no handler and no publish is under way, and nothing more happens until somebody
 * publishes or moves the clock.
 */
export class Rest {
  readonly #parts: AppParts
  readonly #runs: Runs
  readonly #timeout: number
  readonly #waiting = new Set<() => void>()
  #changes = 0

  /** @param timeout milliseconds of real time in which something has to happen while anything is under way */
  constructor(parts: AppParts, transport: MemoryTransport, runs: Runs, timeout: number) {
    this.#parts = parts
    this.#runs = runs
    this.#timeout = timeout
    transport.onChange(() => {
      this.#changes++
      for (const wake of this.#waiting) wake()
    })
  }

  /** @throws MillraceError TEST_NOT_IDLE */
  async reached(): Promise<void> {
    const most = this.#runs.count + mostRuns
    for (let quiet = 0; quiet < quietTurns;) {
      const before = this.#changes
      if (this.#busy) await this.#change()
      else await new Promise((resolve) => setImmediate(resolve))
      quiet = this.#busy || this.#changes !== before ? 0 : quiet + 1
      if (this.#runs.count > most) throw this.#restless()
    }
  }

  get #busy(): boolean {
    return this.#parts.receiver.running > 0 || this.#parts.publisher.busy
  }

  /** A handler that ends is settled, which changes the transport; a publish that fails does not. */
  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
      }
      const wake = (): void => (over(), resolve())
      const timer = setTimeout(() => (over(), reject(this.#stuck())), this.#timeout)
      this.#waiting.add(wake)
      if (this.#parts.publisher.busy) void this.#parts.publisher.drain().then(wake)
    })
  }

  #stuck(): MillraceError {
    const what =
      this.#parts.receiver.running > 0 ? `handlers still run: ${this.#runs.names}` : 'a publish has not ended'
    return new MillraceError(
      'TEST_NOT_IDLE',
      `Nothing has happened for ${readable(this.#timeout)}, and ${what}`,
    )
  }

  #restless(): MillraceError {
    return new MillraceError(
      'TEST_NOT_IDLE',
      `${mostRuns} handlers have run without a rest, the last one: ${this.#runs.last}`,
    )
  }
}
