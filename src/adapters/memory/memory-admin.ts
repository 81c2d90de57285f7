import type { Clock } from '../../clock/clock.ts'
import { checkReplacement } from '../../contract/dead-letter.ts'
import { trailOf } from '../../contract/stored-json.ts'
import type { Subscription } from '../../contract/transport.ts'
import type { QueueCounts, StoredDeadLetter, TransportAdmin } from '../../contract/transport-admin.ts'
import { encodeHead } from '../../event/head.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import type { MemoryQueue } from './memory-queue.ts'
import type { Queues } from './queues.ts'
import { store, type StoredEvent } from './stored-event.ts'

/** The transport, as its operators see it. */
export interface AdminHost {
  readonly clock: Clock
  /** @throws MillraceError STOPPED */
  queues(): Queues
  changed(queue: MemoryQueue): void
  /** Puts an event into a queue, as the latest one. */
  admit(queue: MemoryQueue, event: StoredEvent, trail: string): void
  redriveUnrouted(): number
}

export class MemoryAdmin implements TransportAdmin {
  readonly #host: AdminHost

  constructor(host: AdminHost) {
    this.#host = host
  }

  async queues(): Promise<readonly QueueCounts[]> {
    const { clock } = this.#host
    const counts = this.#host
      .queues()
      .all()
      .map((queue) => {
        queue.turn(clock)
        return queue.counts(clock)
      })
    return counts.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  async deadLetters(
    queue: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly StoredDeadLetter[]> {
    return this.#queue(queue).dead.page(page.limit, page.after)
  }

  async deadLetter(queue: string, letter: string): Promise<StoredDeadLetter | undefined> {
    return this.#queue(queue).dead.get(letter)
  }

  async redrive(name: string, letters: readonly string[] | undefined, replace?: Outgoing): Promise<number> {
    checkReplacement(letters, replace)
    const queue = this.#queue(name)
    const taken = queue.dead.take(letters)
    for (const letter of taken) {
      const event =
        replace === undefined
          ? { ...letter.event, deliverAt: undefined }
          : store(replace, encodeHead(replace.head), letter.event.sequence, letter.event.takenAt)
      this.#host.admit(queue, event, trailOf(letter.record))
    }
    this.#host.changed(queue)
    return taken.length
  }

  async purge(name: string, letters: readonly string[] | undefined): Promise<number> {
    const queue = this.#queue(name)
    const { length } = queue.dead.take(letters)
    this.#host.changed(queue)
    return length
  }

  async removeQueue(name: string): Promise<number> {
    const queue = this.#queue(name)
    this.#host.queues().remove(queue)
    this.#host.changed(queue)
    return queue.size + queue.dead.size
  }

  async unbind(queue: string, subscriptions: readonly Subscription[]): Promise<void> {
    this.#host.queues().unbind(this.#queue(queue), subscriptions)
  }

  async redriveUnrouted(): Promise<number> {
    this.#host.queues()
    return this.#host.redriveUnrouted()
  }

  #queue(name: string): MemoryQueue {
    return this.#host.queues().get(name)
  }
}
