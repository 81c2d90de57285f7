import type { Clock, Timer } from '../clock/clock.ts'
import { Bag, type BagItem } from '../contract/bag.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { MillraceEvent } from '../event/event.ts'
import { batchContext, handledOf, isAlone } from './context.ts'
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

interface Batch extends BagItem {
  readonly members: readonly Member[]
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
  /** Full batches that wait for a slot. */
  readonly #queued = new Bag<Batch>()

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
      // It runs alone in the process: it takes no slot and waits for none.
      if (handledOf(ctx).lapsed) return void this.#run([member], () => undefined)
      handledOf(ctx).gather()
      if (isAlone(ctx)) return this.#enqueue([member])
      this.#members.push(member)
      if (this.#members.length >= this.#settings.size) this.flush()
      else this.#timer ??= this.#clock.after(this.#settings.wait, () => this.flush())
    })

  /** Starts what has gathered, waiting for no more. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const members = this.#members
    this.#members = []
    if (members.length > 0) this.#enqueue(members)
  }

  /** Lets nothing start any more that has not. */
  drop(reason: Error): void {
    this.flush()
    for (const batch of this.#queued.values()) {
      this.#queued.delete(batch)
      for (const member of batch.members) member.reject(reason)
    }
  }

  #enqueue(members: readonly Member[]): void {
    const batch = { members, slot: -1 }
    this.#queued.add(batch)
    this.#slots.take(() => {
      if (!this.#queued.delete(batch)) return this.#slots.giveBack()
      void this.#run(members, () => this.#slots.giveBack())
    })
  }

  /** @param leave gives back the slot: when every run of the batch is over, which a time-out may decide before the handler does */
  async #run(all: readonly Member[], leave: () => void): Promise<void> {
    let left = all.length
    const leaveOne = (): void => {
      if (--left === 0) leave()
    }
    const members = all.filter((member) => begins(member, leaveOne))
    if (members.length === 0) return
    try {
      const ctx = batchContext(members.map((member) => member.ctx))
      const outcome = await this.#handler(
        members.map((member) => member.event),
        ctx,
      )
      settleEach(members, outcome)
    } catch (error) {
      members.forEach((member, i) => {
        if (i > 0) handledOf(member.ctx).failAlong()
        member.reject(error)
      })
    }
  }
}

/** An event may have been lost while its batch waited. */
function begins(member: Member, leave: () => void): boolean {
  try {
    handledOf(member.ctx).begin(leave)
    return true
  } catch (error) {
    member.reject(error)
    leave()
    return false
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
