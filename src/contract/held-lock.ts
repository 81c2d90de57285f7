import type { Clock, Timer } from '../clock/clock.ts'
import { milliseconds, type Duration } from '../clock/duration.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Lock, LocksDriver } from './locks.ts'

/** Parts of the ttl after which it is renewed, and after which that is tried again if it failed. */
const renewAfter = 1 / 3
const tryAgainAfter = 1 / 12
/** How much earlier it ends here than in the system, as a part of the ttl and in milliseconds at most: timers may be late. */
const reservePart = 1 / 10
const longestReserve = 1_000

/** A lock while it is held. When its time is over is counted from before each call to the system, so never too late. */
export class HeldLock implements Lock {
  readonly name: string
  readonly token: number
  readonly #driver: LocksDriver
  readonly #clock: Clock
  readonly #ttl: number
  readonly #reserve: number
  readonly #over: () => void
  readonly #lost = new AbortController()
  /** When others may take it. */
  #end: number
  #isOver = false
  #renewal: Timer | undefined
  #expiry: Timer | undefined
  /** One after the other, so that a longer time is never overtaken by a shorter one. */
  #extending: Promise<unknown> = Promise.resolve()

  /**
   * @param lock.end when others may take it, by the monotonic clock
   * @param over called once, when it is not held any more
   */
  constructor(
    lock: { readonly name: string; readonly token: number; readonly ttl: number; readonly end: number },
    driver: LocksDriver,
    clock: Clock,
    over: () => void,
  ) {
    this.name = lock.name
    this.token = lock.token
    this.#ttl = lock.ttl
    this.#reserve = Math.min(lock.ttl * reservePart, longestReserve)
    this.#end = lock.end
    this.#driver = driver
    this.#clock = clock
    this.#over = over
    this.#watch()
    this.#renewIn(this.#ttl * renewAfter)
  }

  get signal(): AbortSignal {
    this.#look()
    return this.#lost.signal
  }

  async extend(ttl: Duration): Promise<void> {
    const ms = milliseconds(ttl, 'ttl')
    if (!(await this.#extend(ms))) throw this.#loss()
  }

  async release(): Promise<void> {
    if (!this.#finish()) return
    await this.#extending
    await this.#driver.release(this.name, this.token)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** Releases it in the name of the locks, which are closed. */
  async close(): Promise<void> {
    this.#lost.abort(new MillraceError('STOPPED', `The locks were closed while '${this.name}' was held`))
    await this.release()
  }

  #extend(ttl: number): Promise<boolean> {
    const extended = this.#extending.then(async () => {
      this.#look()
      if (this.#isOver) return false
      const began = this.#clock.monotonic()
      const end = Math.max(this.#end, began + ttl)
      const held = await this.#driver.extend(this.name, this.token, end - began)
      if (held) this.#end = end
      else this.#lose()
      this.#look()
      return !this.#isOver
    })
    this.#extending = extended.catch(() => undefined)
    return extended
  }

  #renewIn(ms: number): void {
    this.#renewal = this.#clock.after(ms, () => {
      const again = (part: number): void => {
        if (!this.#isOver) this.#renewIn(this.#ttl * part)
      }
      // That one failed costs nothing yet: if none succeeds before its time is over, the lock is lost, which is told.
      void this.#extend(this.#ttl).then(
        () => again(renewAfter),
        () => again(tryAgainAfter),
      )
    })
  }

  #watch(): void {
    this.#expiry = this.#clock.after(this.#end - this.#reserve - this.#clock.monotonic(), () => {
      this.#look()
      if (!this.#isOver) this.#watch()
    })
  }

  #look(): void {
    if (this.#clock.monotonic() >= this.#end - this.#reserve) this.#lose()
  }

  #lose(): void {
    if (this.#finish()) this.#lost.abort(this.#loss())
  }

  #loss(): MillraceError {
    return new MillraceError('LOCK_LOST', `The lock '${this.name}' is not held any more`)
  }

  /** Whether it was held until now. */
  #finish(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#renewal?.cancel()
    this.#expiry?.cancel()
    this.#over()
    return true
  }
}
