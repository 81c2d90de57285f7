import type { Clock, Timer } from '../clock/clock.ts'
import type { Notice, Received, Session } from '../contract/transport.ts'

export interface HeldLeasesParts {
  readonly clock: Clock
  readonly session: Session
  readonly lease: number
  notice(notice: Notice): void
}

/** What was claimed together. */
interface Batch {
  /** Until when it is surely ours, by the monotonic clock. */
  end: number
  readonly events: Set<Received>
}

/** What a relay holds, and until when. Renews all of it, as long as it waits to be sent or settled. */
export class HeldLeases {
  readonly #parts: HeldLeasesParts
  /** A Set for each: one for all would outlive its events, and with it all that come after them, until the next major collection. */
  readonly #batches: Batch[] = []
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
    if (list.length > 0) this.#batches.push({ end, events: new Set(list) })
  }

  /** They were settled, or lost to somebody else. */
  drop(list: readonly Received[]): void {
    for (const received of list) {
      const batch = this.#batchOf(received)
      batch?.events.delete(received)
      if (batch?.events.size === 0) this.#batches.splice(this.#batches.indexOf(batch), 1)
    }
  }

  /** Those that are ours still. Where a lease may have run out, as after the process stood still, it asks; undefined: no answer. */
  async still(list: readonly Received[]): Promise<readonly Received[] | undefined> {
    const now = this.#parts.clock.monotonic()
    const isDoubtful = list.some((received) => (this.#batchOf(received)?.end ?? now) <= now)
    if (isDoubtful && !(await this.#renew())) return undefined
    return list.filter((received) => this.#batchOf(received) !== undefined)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** There are few: one on its way, one behind it, and what is being settled. */
  #batchOf(received: Received): Batch | undefined {
    return this.#batches.find(({ events }) => events.has(received))
  }

  #arm(): void {
    const { clock, lease } = this.#parts
    this.#timer = clock.after(lease / 4, () => void this.#renew().then(() => this.#stopped || this.#arm()))
  }

  /** Whether the outbox has answered. */
  async #renew(): Promise<boolean> {
    const { clock, session, lease, notice } = this.#parts
    const batches = [...this.#batches]
    const list = batches.flatMap(({ events }) => [...events])
    if (list.length === 0) return true
    const end = clock.monotonic() + lease
    try {
      const results = await session.extend(list, lease)
      this.drop(list.filter((_, i) => results[i] === 'lost'))
      for (const batch of batches) batch.end = end
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
