import { systemClock, type Clock } from '../../clock/clock.ts'
import type { LocksDriver, LocksFeatures, Taken } from '../../contract/locks.ts'

const features: LocksFeatures = {
  durable: 'memory',
  clock: 'process',
  shortestTtl: 10,
  processes: false,
}

/** How many locks one take looks at, in turn, for those whose holders have lost them: more than it can add. */
const sweptAtOnce = 2

/** Locks in the memory of this process. */
export class MemoryLocks implements LocksDriver {
  readonly system = 'memory'
  readonly features = features
  readonly #clock: Clock
  readonly #holders = new Map<string, { readonly token: number; end: number }>()
  #tokens = 0

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock
  }

  /** How many locks take room, those that were lost and not removed yet included. */
  get held(): number {
    return this.#holders.size
  }

  async take(name: string, ttl: number): Promise<Taken> {
    this.#sweep()
    const heldFor = (this.#holders.get(name)?.end ?? 0) - this.#clock.monotonic()
    if (heldFor > 0) return { heldFor }
    const token = ++this.#tokens
    this.#holders.set(name, { token, end: this.#clock.monotonic() + ttl })
    return { token }
  }

  async extend(name: string, token: number, ttl: number): Promise<boolean> {
    const holder = this.#holders.get(name)
    const now = this.#clock.monotonic()
    if (holder?.token !== token || holder.end <= now) return false
    holder.end = now + ttl
    return true
  }

  async release(name: string, token: number): Promise<void> {
    if (this.#holders.get(name)?.token === token) this.#holders.delete(name)
  }

  async close(): Promise<void> {
    this.#holders.clear()
  }

  #sweep(): void {
    const now = this.#clock.monotonic()
    for (let i = Math.min(sweptAtOnce, this.#holders.size); i > 0; i--) {
      const [name, holder] = this.#holders.entries().next().value!
      this.#holders.delete(name)
      // The others come before it next time.
      if (holder.end > now) this.#holders.set(name, holder)
    }
  }
}
