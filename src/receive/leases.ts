import type { Clock, Timer } from '../clock/clock.ts'
import { milliseconds, readable, type Duration } from '../clock/duration.ts'
import type { Bag } from '../contract/bag.ts'
import type { Notice, Received, Session } from '../contract/transport.ts'
import { aboutOf, leaseLost, type Held } from './held.ts'
import type { Reporter } from '../report/reporter.ts'

/** Wait after a renewal that failed as a whole. */
const afterFailure = 1_000

export interface LeasesParts {
  readonly clock: Clock
  readonly lease: number
  readonly held: Bag<Held>
  session(): Session
  readonly reporter: Reporter
  readonly queue: string
  /** These are no longer ours. */
  lost(list: readonly Held[]): void
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
  /** Renewals fail, and that is told. */
  #failing = false

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

  /** @throws MillraceError LEASE_LOST, INVALID_OPTION */
  async extend(held: Held, by: Duration): Promise<void> {
    const { clock, lease, session } = this.#parts
    const ms = milliseconds(by, 'by')
    const reach = Math.max(ms, lease)
    const began = clock.monotonic()
    const [result] = await session().extend([held.received], reach)
    if (result === 'lost') {
      this.#lose([held])
      throw leaseLost(held)
    }
    held.leaseEnd = this.#surely(began + reach)
    held.deadline = Math.max(held.deadline, began + ms)
  }

  /** The system says that these are no longer ours. */
  lose(list: readonly Received[]): void {
    const gone = new Set(list)
    this.#lose(this.#parts.held.values().filter((held) => gone.has(held.received)))
  }

  #lose(list: readonly Held[]): void {
    const lost = list.filter((held) => !held.lost && (held.state === 'waiting' || held.state === 'running'))
    for (const held of lost) {
      held.lost = true
      held.abort(leaseLost(held))
      this.#parts.reporter.notice({
        ...aboutOf(held),
        code: 'LEASE_LOST',
        message: 'lost its lease: another consumer may handle it',
      })
    }
    this.#parts.lost(lost)
  }

  /** Some systems give to others what is held by a process that they have not heard of, whatever lease it asked for. */
  #surely(end: number): number {
    return Math.min(end, this.#parts.session().certainUntil ?? Infinity)
  }

  #notice(notice: Notice): void {
    this.#parts.reporter.notice({ ...notice, queue: this.#parts.queue })
  }

  #arm(ms: number): void {
    this.#timer?.cancel()
    if (!this.#stopped) this.#timer = this.#parts.clock.after(ms, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const { clock, lease, held, session, renewed } = this.#parts
    const now = clock.monotonic()
    if (now - this.#looked > lease) {
      this.#notice({
        code: 'LEASE_LOST',
        message: `The event loop was blocked for ${readable(now - this.#looked)}, longer than the lease: events may be handled twice`,
      })
    }
    this.#looked = now
    const due = held
      .values()
      .filter(
        (one) =>
          one.state !== 'over' && !one.lost && !one.timedOut && one.leaseEnd - now < (lease * 2) / 3 + 1,
      )
    this.#busy = true
    let wait = lease / 3
    let renewedAll = true
    try {
      const results =
        due.length === 0
          ? []
          : await session().extend(
              due.map((one) => one.received),
              lease,
            )
      due.forEach((one, i) => {
        if (results[i] === 'ok') one.leaseEnd = Math.max(one.leaseEnd, this.#surely(now + lease))
      })
      this.#lose(due.filter((_, i) => results[i] === 'lost'))
      if (this.#failing && due.length > 0) {
        this.#failing = false
        this.#notice({ code: 'CONNECTION_LOST', message: 'The leases are renewed again' })
      }
    } catch (cause) {
      wait = Math.min(afterFailure, wait)
      renewedAll = false
      if (!this.#failing) {
        this.#notice({
          code: 'CONNECTION_LOST',
          message: 'The leases could not be renewed; trying again',
          cause,
        })
      }
      this.#failing = true
    } finally {
      this.#busy = false
    }
    this.#arm(wait)
    // After a failure nothing may start that waits for its lease, and asking again at once would be a hot loop.
    if (renewedAll) renewed()
  }
}
