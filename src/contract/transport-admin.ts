import type { EventHead } from '../event/event.ts'
import type { Outgoing } from '../event/outgoing.ts'
import type { Raw } from '../event/payload.ts'
import type { DeadLetterRecord } from './dead-letter.ts'
import type { Subscription } from './transport.ts'

/** What operators do. All of it works without a session, from any process. To name a queue that is not there is UNKNOWN_QUEUE. */
export interface TransportAdmin {
  /** Every declared queue, by name. */
  queues(): Promise<readonly QueueCounts[]>
  /** Dead letters of a queue in the order in which they died, behind the cursor `after`, which need not exist any more. */
  deadLetters(
    queue: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly StoredDeadLetter[]>
  deadLetter(queue: string, letter: string): Promise<StoredDeadLetter | undefined>
  /**
   * Puts letters back into their queue at attempt 1, keeping their history, due at once; no list: all. Gives the number.
   * `replace` takes the place of the event of the one letter, and is due by its own `deliverAt`. With any other list than
   * of one letter: INVALID_OPTION, and nothing is changed.
   */
  redrive(queue: string, letters: readonly string[] | undefined, replace?: Outgoing): Promise<number>
  /** Deletes letters; no list: all. Gives the number. */
  purge(queue: string, letters: readonly string[] | undefined): Promise<number>
  /**
   * Removes a queue with its subscriptions, waiting events and dead letters. Gives the number of events and letters that went
   * with it. A system that cannot while somebody consumes the queue rejects, and nothing is changed.
   */
  removeQueue(queue: string): Promise<number>
  /** Takes subscriptions from a queue; its waiting events stay. */
  unbind(queue: string, subscriptions: readonly Subscription[]): Promise<void>
  /** Publishes kept events that no queue had subscribed to once more, now that some may. Gives the number that found a queue. */
  redriveUnrouted(): Promise<number>
}

export interface QueueCounts {
  readonly name: string
  /** Waiting and due, those whose lease ran out included: neither held, nor retrying, nor delayed. */
  readonly depth: number
  readonly inFlight: number
  readonly retrying: number
  readonly delayed: number
  readonly dead: number
  /** Age of the oldest event that waits and is due, in milliseconds since it was taken; 0 if none. */
  readonly oldestMs: number
  /** Over about the last minute, by all processes. */
  readonly handledPerSecond: number
  readonly failedPerSecond: number
}

export interface StoredDeadLetter {
  /**
   * Names the letter within its queue: the event's id, as log lines show it. If the queue has such a letter already (an
   * event published twice), the id with `~` and something behind that tells it from all others.
   */
  readonly letter: string
  /** Its place in the order of death, for the next page; the system's own text. */
  readonly cursor: string
  readonly id: string
  readonly type: string
  readonly key: string | undefined
  /** undefined if the stored attributes cannot be decoded. */
  readonly head: EventHead | undefined
  readonly data: Raw
  readonly record: DeadLetterRecord
}
