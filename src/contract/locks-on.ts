import { pause, systemClock, type Clock } from '../clock/clock.ts'
import { milliseconds, type Duration } from '../clock/duration.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { abortedBy, Calls } from './calls.ts'
import { HeldLock } from './held-lock.ts'
import { checkKey } from './keys.ts'
import type { AcquireOptions, Lock, LockOptions, Locks, LocksDriver, LocksFeatures } from './locks.ts'

/** The first and the longest wait between two looks at a lock that somebody has, in milliseconds. */
const firstWait = 4
const longestWait = 128

/**
 * Locks on a system: everything that all locks share.
 * @param clock that renewals and waits go by. Default: the machine's
 */
export function locksOn(driver: LocksDriver, clock: Clock = systemClock): Locks {
  return new DriverLocks(driver, clock)
}

class DriverLocks implements Locks {
  readonly system: string
  readonly #driver: LocksDriver
  readonly #clock: Clock
  readonly #calls: Calls
  readonly #held = new Set<HeldLock>()
  readonly #closing = new AbortController()

  constructor(driver: LocksDriver, clock: Clock) {
    this.system = driver.system
    this.#driver = driver
    this.#clock = clock
    this.#calls = new Calls(`The ${driver.system} locks`)
  }

  get features(): LocksFeatures {
    return this.#driver.features
  }

  async acquire(name: string, options: AcquireOptions = {}): Promise<Lock> {
    const wait = options.wait === undefined ? Infinity : milliseconds(options.wait, 'wait')
    const lock = await this.#take(name, options, wait)
    if (lock !== undefined) return lock
    throw new MillraceError('LOCK_TAKEN', `The lock '${name}' was not free within ${wait} ms`)
  }

  tryAcquire(name: string, options: LockOptions = {}): Promise<Lock | undefined> {
    return this.#take(name, options, 0)
  }

  close(): Promise<void> {
    this.#closing.abort()
    return this.#calls.close(async () => {
      const released = await Promise.allSettled([...this.#held].map((lock) => lock.close()))
      await this.#driver.close()
      const failed = released.find((one) => one.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #take(name: string, { ttl = '30s', signal }: LockOptions, wait: number): Promise<Lock | undefined> {
    checkKey(name)
    const ms = this.#checkTtl(ttl)
    const stop = signal === undefined ? this.#closing.signal : AbortSignal.any([this.#closing.signal, signal])
    // Not ended by the signal from outside: what was taken has to be given back first.
    return await this.#calls.run(() => this.#untilFree(name, ms, wait, stop))
  }

  /** Looks again and again, at random moments, so that those who wait for the same do not meet; undefined: it was not free in time. */
  async #untilFree(name: string, ttl: number, wait: number, stop: AbortSignal): Promise<Lock | undefined> {
    const giveUp = this.#clock.monotonic() + wait
    if (stop.aborted) throw this.#stopped(stop)
    for (let pauseMs = firstWait; ; pauseMs = Math.min(2 * pauseMs, longestWait)) {
      const began = this.#clock.monotonic()
      const taken = await this.#driver.take(name, ttl)
      if ('token' in taken) {
        const lock = await this.#hold(name, ttl, taken.token, began + ttl, stop)
        // An answer that took as long as the ttl says nothing any more.
        if (!lock.signal.aborted) return lock
      }
      const left = giveUp - this.#clock.monotonic()
      if (left <= 0) return undefined
      const freeIn = 'token' in taken ? 1 : taken.heldFor + 1
      await pause(this.#clock, Math.min(left, freeIn, pauseMs * (0.5 + Math.random())), stop)
      if (stop.aborted) throw this.#stopped(stop)
    }
  }

  /** Nobody waits for it any more if the call was ended meanwhile: then it is given back. */
  async #hold(name: string, ttl: number, token: number, end: number, stop: AbortSignal): Promise<Lock> {
    const over = (): void => void this.#held.delete(lock)
    const lock = new HeldLock({ name, token, ttl, end }, this.#driver, this.#clock, over)
    if (!stop.aborted) {
      this.#held.add(lock)
      return lock
    }
    await lock.release()
    throw this.#stopped(stop)
  }

  #stopped(stop: AbortSignal): MillraceError {
    if (this.#closing.signal.aborted)
      return new MillraceError('STOPPED', `The ${this.system} locks are closed`)
    return abortedBy(stop)
  }

  #checkTtl(ttl: Duration): number {
    const ms = milliseconds(ttl, 'ttl')
    const { shortestTtl } = this.features
    if (ms >= shortestTtl) return ms
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`ttl\` to be at least ${shortestTtl} ms, got ${ms} ms`,
    )
  }
}
