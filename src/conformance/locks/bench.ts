import { expect } from 'vitest'
import type { ManualClock } from '../../clock/manual-clock.ts'
import type { AcquireOptions, Lock, Locks, LocksFeatures } from '../../contract/locks.ts'
import type { ModuleUnderTest } from '../module.ts'
import { newName, Time } from '../time.ts'

/** What the suite needs to know of the locks it tests. */
export interface LocksUnderTest {
  /** The locks of this name on a system that may hold others: names are never used twice. Closed by the suite. */
  open(name: string): Locks | Promise<Locks>
  /** The same locks once more, as another process would have them. */
  reopen?(name: string): Locks | Promise<Locks>
  /** How processes open them; its module exports `open(place: string, name: string)`. Needed if `features.processes`. */
  readonly processes?: ModuleUnderTest
  /** The clock that the locks count with, if it can be a manual one; the suite moves it instead of waiting. */
  readonly clock?: ManualClock
  /** A ttl that the system can keep and the suite waits for, in milliseconds. Default 1,000. */
  readonly ttl?: number
  /** Cases that cannot pass, by their names, each with its reason. */
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
  /** How long one wait of a case may take before the case fails. Default 10,000 ms. */
  readonly patience?: number
}

/** One promise of the contract. `run` rejects if the locks do not keep it. */
export interface LocksCase {
  readonly name: string
  /** Why the case does not apply to locks of these features, tested this way; undefined if it does. */
  unless?(features: LocksFeatures, under: LocksUnderTest): string | undefined
  run(bench: LocksBench): Promise<void>
}

/** What a case works with: locks of their own, and time. */
export class LocksBench {
  readonly locks: Locks
  /** Another instance of the locks where there can be one, else the same. */
  readonly other: Locks
  readonly time: Time
  /** A ttl that is soon over, in milliseconds. */
  readonly ttl: number

  private constructor(under: LocksUnderTest, locks: Locks, other: Locks) {
    this.locks = locks
    this.other = other
    this.ttl = under.ttl ?? 1_000
    this.time = new Time(under.clock, under.patience ?? 10_000)
  }

  static async open(under: LocksUnderTest): Promise<LocksBench> {
    const name = newName('locks')
    const locks = await under.open(name)
    return new LocksBench(under, locks, (await under.reopen?.(name)) ?? locks)
  }

  async close(): Promise<void> {
    await this.other.close()
    await this.locks.close()
  }

  /** Takes a lock, which must be free. */
  async take(name: string, options: AcquireOptions = {}, locks = this.locks): Promise<Lock> {
    const lock = await locks.tryAcquire(name, options)
    if (lock === undefined) expect.fail(`'${name}' is not free`)
    return lock
  }

  /** Waits for a lock, with the ttl of the suite. */
  acquire(name: string, options: AcquireOptions = {}, locks = this.other): Promise<Lock> {
    return this.time.soon(`the lock '${name}'`, locks.acquire(name, { ttl: this.ttl, ...options }))
  }

  /** Expects that somebody holds it, for both instances. */
  async taken(name: string): Promise<void> {
    for (const locks of [this.locks, this.other])
      expect(await locks.tryAcquire(name, { ttl: this.ttl }), `'${name}' was taken twice`).toBeUndefined()
  }
}
