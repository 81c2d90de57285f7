import type { Clock, Timer } from '../clock/clock.ts'
import { readable } from '../clock/duration.ts'
import type { Notice, Session } from '../contract/transport.ts'
import type { Held } from './held.ts'

/** Wait after a renewal that failed as a whole. */
const afterFailure = 1_000

export interface LeasesParts {
  readonly clock: Clock
  readonly lease: number
  readonly held: ReadonlySet<Held>
  session(): Session
  lost(held: Held): void
  notice(notice: Notice): void
  /** Leases were looked after: what waited for that may start. */
  renewed(): void
}

/** Keeps the leases of everything held, many at a time, from a third of their length on. */
export class Leases {
  readonly #parts: LeasesParts
  #timer: Timer | undefined
  #looked = 0
  #busy = false
  #stopped = false

  constructor(parts: LeasesParts) {
    this.#parts = parts
  }

  start(): void {
    this.#looked = this.#parts.clock.monotonic()
    this.#arm(this.#parts.lease / 3)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  renewNow(): void {
    if (!this.#busy) void this.#renew()
  }

  #arm(ms: number): void {
    this.#timer?.cancel()
    if (!this.#stopped) this.#timer = this.#parts.clock.after(ms, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const { clock, lease, held, session, lost, notice, renewed } = this.#parts
    const now = clock.monotonic()
    if (now - this.#looked > lease) {
      notice({ code: 'LEASE_LOST', message: `The event loop was blocked for ${readable(now - this.#looked)}, longer than the lease: events may be handled twice` })
    }
    this.#looked = now
    const due = [...held].filter((one) => one.state !== 'over' && !one.lost && !one.timedOut && one.leaseEnd - now < (lease * 2) / 3 + 1)
    this.#busy = true
    let wait = lease / 3
    try {
      const results = due.length === 0 ? [] : await session().extend(due.map((one) => one.received), lease)
      due.forEach((one, i) => {
        if (results[i] === 'lost') lost(one)
        else one.leaseEnd = Math.max(one.leaseEnd, now + lease)
      })
    } catch (cause) {
      wait = Math.min(afterFailure, wait)
      notice({ code: 'CONNECTION_LOST', message: 'The leases could not be renewed; trying again', cause })
    } finally {
      this.#busy = false
    }
    this.#arm(wait)
    renewed()
  }
}
