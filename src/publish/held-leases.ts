import type { Clock, Timer } from '../clock/clock.ts'
import type { Notice, Received, Session } from '../contract/transport.ts'

export interface HeldLeasesParts {
  readonly clock: Clock
  readonly session: Session
  readonly lease: number
  notice(notice: Notice): void
}

/** What a relay holds, and until when. Renews all of it, as long as it waits to be sent or settled. */
export class HeldLeases {
  readonly #parts: HeldLeasesParts
  readonly #ends = new Map<Received, number>()
  #timer: Timer | undefined
  #stopped = false
  /** Renewals fail, and that was told. */
  #failing = false

  constructor(parts: HeldLeasesParts) {
    this.#parts = parts
    this.#arm()
  }

  /** @param end by the monotonic clock */
  add(list: readonly Received[], end: number): void {
    for (const received of list) this.#ends.set(received, end)
  }

  /** They were settled, or lost to somebody else. */
  drop(list: readonly Received[]): void {
    for (const received of list) this.#ends.delete(received)
  }

  /** Those that are ours still. Where a lease may have run out, as after the process stood still, it asks; undefined: no answer. */
  async still(list: readonly Received[]): Promise<readonly Received[] | undefined> {
    const now = this.#parts.clock.monotonic()
    const isDoubtful = list.some((received) => (this.#ends.get(received) ?? now) <= now)
    if (isDoubtful && !(await this.#renew())) return undefined
    return list.filter((received) => this.#ends.has(received))
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #arm(): void {
    const { clock, lease } = this.#parts
    this.#timer = clock.after(lease / 4, () => void this.#renew().then(() => this.#stopped || this.#arm()))
  }

  /** Whether the outbox has answered. */
  async #renew(): Promise<boolean> {
    const { clock, session, lease, notice } = this.#parts
    const list = [...this.#ends.keys()]
    if (list.length === 0) return true
    const end = clock.monotonic() + lease
    try {
      const results = await session.extend(list, lease)
      list.forEach((received, i) => {
        if (results[i] === 'lost') this.#ends.delete(received)
        else if (this.#ends.has(received)) this.#ends.set(received, end)
      })
    } catch (cause) {
      const message = 'The leases of what waits to be relayed could not be renewed; trying again'
      if (!this.#failing) notice({ code: 'CONNECTION_LOST', message, cause })
      this.#failing = true
      return false
    }
    this.#failing = false
    return true
  }
}
