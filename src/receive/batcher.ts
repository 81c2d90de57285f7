import type { Clock, Timer } from '../clock/clock.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { MillraceEvent } from '../event/event.ts'
import { batchContext, isAlone } from './context.ts'
import type { Context, Handler } from './chain.ts'
import type { Slots } from './slots.ts'

/** Gets up to `size` events at once. Returns nothing: all are acknowledged. Returns `Promise.allSettled(...)`: each by its own outcome. */
export type BatchHandler = (events: readonly MillraceEvent[], ctx: Context) => unknown

export interface BatchSettings {
  /** Events in a batch at most. */
  readonly size: number
  /** Milliseconds that the first event of a batch waits for more. */
  readonly wait: number
}

interface Member {
  readonly event: MillraceEvent
  readonly ctx: Context
  resolve(): void
  reject(error: unknown): void
}

/**
 * Stands at the inner end of each event's chain: middlewares see single events, and their `next()` ends with the outcome of
 * that event. Events that failed before come alone, so that one bad event cannot fail its neighbours for ever.
 */
export class Batcher {
  readonly #handler: BatchHandler
  readonly #settings: BatchSettings
  readonly #slots: Slots
  readonly #clock: Clock
  #members: Member[] = []
  #timer: Timer | undefined

  constructor(handler: BatchHandler, settings: BatchSettings, slots: Slots, clock: Clock) {
    this.#handler = handler
    this.#settings = settings
    this.#slots = slots
    this.#clock = clock
  }

  /** Events that wait for more to come. */
  get gathered(): number {
    return this.#members.length
  }

  readonly join: Handler = (event, ctx) =>
    new Promise<void>((resolve, reject) => {
      const member: Member = { event, ctx, resolve, reject }
      if (isAlone(ctx)) return this.#start([member])
      this.#members.push(member)
      if (this.#members.length >= this.#settings.size) this.#flush()
      else this.#timer ??= this.#clock.after(this.#settings.wait, () => this.#flush())
    })

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const members = this.#members
    this.#members = []
    this.#start(members)
  }

  #start(members: readonly Member[]): void {
    this.#slots.take(() => {
      void this.#run(members).finally(() => this.#slots.giveBack())
    })
  }

  async #run(members: readonly Member[]): Promise<void> {
    try {
      const ctx = batchContext(members.map((member) => member.ctx))
      const outcome = await this.#handler(
        members.map((member) => member.event),
        ctx,
      )
      settleEach(members, outcome)
    } catch (error) {
      for (const member of members) member.reject(error)
    }
  }
}

function settleEach(members: readonly Member[], outcome: unknown): void {
  if (!isSettledList(outcome)) {
    for (const member of members) member.resolve()
    return
  }
  if (outcome.length !== members.length) {
    throw new MillraceError(
      'HANDLER_FAILED',
      `The batch handler returned ${outcome.length} outcomes for ${members.length} events`,
    )
  }
  members.forEach((member, i) => {
    const result = outcome[i] as PromiseSettledResult<unknown>
    if (result.status === 'fulfilled') member.resolve()
    else member.reject(result.reason)
  })
}

function isSettledList(value: unknown): value is readonly PromiseSettledResult<unknown>[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (item) =>
        typeof item === 'object' &&
        item !== null &&
        (item.status === 'fulfilled' || item.status === 'rejected'),
    )
  )
}
