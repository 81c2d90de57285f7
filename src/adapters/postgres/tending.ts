import type { Clock, Timer } from '../../clock/clock.ts'
import type { Presence } from './presence.ts'
import { slots as all } from './schema.ts'
import type { Slots } from './slots.ts'

/** A session that has not asked for events for so long does not need the slots that it does not use, in milliseconds. */
const idleAfter = 20
/** Slots are not given away more often than this. */
const freeEvery = 50

export interface TendingParts {
  readonly presence: Presence
  readonly slots: Slots
  readonly ordered: boolean
  readonly clock: Clock
  /** Runs it while no exchange is under way. */
  alone<T>(run: () => Promise<T>): Promise<T>
  /** Takes in what is known of slots that were just taken. */
  gained(slots: readonly number[]): Promise<void>
  /** Somebody else has to look at the slots. */
  announce(): void
  failed(error: unknown): void
}

/**
 * Tells that a session lives, and shares the slots with the other sessions of its queue: each has about as many, and one that asks
 * for nothing gives away what it does not use to those that find nothing. What is free belongs to whoever is first.
 */
export class Tending {
  readonly #parts: TendingParts
  #timer: Timer | undefined
  #at = Infinity
  #running: Promise<void> | undefined
  #again = false
  #closed = false
  #asking = 0
  #askedAt = 0
  #wants = false
  #others = false
  /** There were free slots the last time, too, which others wanted and did not take. */
  #orphans = false
  #freedAt = -Infinity

  constructor(parts: TendingParts) {
    this.#parts = parts
  }

  /** Once the session is there anew, in its turn. */
  async begin(): Promise<void> {
    const { presence, slots, ordered } = this.#parts
    this.#wants = false
    this.#arm(presence.every)
    await slots.bury()
    if (!ordered) return
    const sharing = await slots.look(presence.id!)
    const limit = sharing.wanting > 0 ? Math.ceil(all / sharing.sharing) : all
    const taken = await slots.take(presence.id!, limit)
    if (taken.length > 0) await this.#parts.gained(taken)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }

  /** The session asks for events until the returned function is called. */
  asks(): () => void {
    this.#asking++
    return () => {
      this.#asking--
      this.#askedAt = this.#parts.clock.monotonic()
      if (this.#others || this.#wants) this.#arm(idleAfter + 1)
    }
  }

  /** Something was settled: a slot may be free for others. */
  settled(): void {
    if (this.#others) this.#arm(idleAfter + 1)
  }

  /** Whether the session found less than it asked for. */
  found(less: boolean): void {
    if (!this.#parts.ordered) return
    const wants = less && !this.#parts.slots.hasAll
    if (wants === this.#wants || this.#closed) return
    void this.#attempt(() => this.#want(wants))
    if (wants) this.now()
  }

  /** Looks at the slots now. */
  now(): void {
    if (this.#closed) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    this.#running = this.#attempt(() => this.#tend()).finally(() => {
      this.#running = undefined
      if (!this.#again) return
      this.#again = false
      this.now()
    })
  }

  #arm(ms: number): void {
    const at = this.#parts.clock.monotonic() + ms
    if (this.#closed || at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#at = Infinity
      this.now()
    })
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#parts.failed(error)
    }
  }

  async #tend(): Promise<void> {
    const { presence, slots, ordered } = this.#parts
    this.#arm(presence.every)
    if (presence.id === undefined) return
    if (!(await presence.beat())) throw new Error('taken for dead')
    if (!ordered) return
    const isIdle = this.#isIdle
    if (isIdle && this.#wants) await this.#want(false)
    const sharing = await slots.look(presence.id)
    const share = Math.ceil(all / sharing.sharing)
    this.#others = sharing.wanting > 0
    if (sharing.dead > 0) await slots.bury()
    const hasFree = sharing.owned < all || sharing.dead > 0
    if (hasFree && !isIdle) await this.#take(share, this.#others)
    this.#orphans = hasFree && this.#others
    // Whoever asked a moment ago may ask for no more: then it gives away the rest.
    if (this.#others && !isIdle && this.#asking === 0) this.#arm(idleAfter + 1)
    if (this.#others) await this.#free(isIdle ? 0 : share, isIdle)
    else if (slots.leaving > 0) await this.#parts.alone(() => this.#keep())
  }

  get #isIdle(): boolean {
    return this.#asking === 0 && this.#parts.clock.monotonic() - this.#askedAt >= idleAfter
  }

  async #want(wants: boolean): Promise<void> {
    const { presence, slots, announce } = this.#parts
    this.#wants = wants
    await slots.want(presence.id!, wants)
    if (wants) announce()
  }

  /** What others want is left to them, but not for ever. */
  async #take(share: number, others: boolean): Promise<void> {
    const { presence, slots } = this.#parts
    const limit = others && !this.#orphans ? share - slots.count : all
    if (limit <= 0) return
    await this.#parts.alone(async () => {
      const taken = await slots.take(presence.id!, limit)
      if (taken.length > 0) await this.#parts.gained(taken)
    })
  }

  async #free(share: number, isIdle: boolean): Promise<void> {
    const { presence, slots, clock } = this.#parts
    const surplus = Math.max(slots.count - share, 0)
    // Others were free sooner than those that were to leave: nobody else would claim from these.
    if (slots.leaving > surplus) await this.#parts.alone(() => this.#keep())
    if (surplus === 0) return
    const now = clock.monotonic()
    if (now - this.#freedAt < freeEvery) return this.#arm(freeEvery)
    this.#freedAt = now
    const freed = await this.#parts.alone(() => slots.free(presence.id!, surplus, !isIdle))
    if (freed > 0) this.#parts.announce()
    if (slots.leaving > 0) this.#arm(freeEvery)
  }

  async #keep(): Promise<void> {
    this.#parts.slots.keep()
    await this.#parts.gained([])
  }
}
