import type { Received } from '../../contract/transport.ts'
import type { FailureTrail } from '../../contract/dead-letter.ts'
import { decodeHead } from '../../event/head.ts'
import type { EventHead } from '../../event/event.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import type { Raw } from '../../event/payload.ts'
import type { Consumer } from './lane.ts'

/** An event as it is kept: text and bytes, none of the publisher's objects. All queues share it; nobody changes it. */
export interface StoredEvent {
  /** Its place: the order in which events were taken. */
  readonly sequence: number
  /** When it was taken, in milliseconds since 1970. */
  readonly takenAt: number
  readonly id: string
  readonly type: string
  readonly topic: string
  readonly key: string | undefined
  readonly deliverAt: number | undefined
  /** As JSON, which neighbours share that say the same; or as it is where a benchmark leaves serialisation out. */
  readonly head: string | EventHead
  readonly data: Raw
  /** Bytes it takes, about. */
  readonly size: number
}

export function store(
  event: Outgoing,
  head: StoredEvent['head'],
  sequence: number,
  takenAt: number,
): StoredEvent {
  const { id, type, topic, key, deliverAt, size } = event
  return {
    sequence,
    takenAt,
    id,
    type,
    topic,
    key,
    deliverAt,
    head,
    data: copy(event.data),
    size,
  }
}

export function headOf({ head }: StoredEvent): EventHead {
  return typeof head === 'string' ? decodeHead(head) : head
}

/** Bytes are copied on the way in and on the way out: whoever writes into them changes only their own. */
export function copy(data: Raw): Raw {
  return typeof data === 'string' ? data : new Uint8Array(data)
}

/** Bytes that a queue spends on an event beside the event itself: its entry and, with order by key, the lane. */
export const placeBytes = 512

/** One queue's copy of an event, and what has happened to it there. */
export class Entry {
  readonly event: StoredEvent
  readonly sequence: number
  failures = 0
  /** The trail of failures, as JSON. */
  trail: string | undefined
  /** When a waiting entry is due, by the clock of the heap it stands in. */
  dueAt = 0
  /** Whether it waits for a retry, not for its date or the end of a deferral. */
  retrying = false
  /** Who holds it. A claim is valid while it stands here. */
  claim: Claim | undefined
  /** Whether it has left the queue: handled, dead, or gone with its queue. */
  gone = false
  slot = -1

  constructor(event: StoredEvent, trail?: string) {
    this.event = event
    this.sequence = event.sequence
    this.trail = trail
  }

  get size(): number {
    return placeBytes + this.event.size + (this.trail?.length ?? 0)
  }
}

/** An event in the hands of a consumer, and the lease on it. */
export class Claim implements Received {
  readonly id: string
  readonly type: string
  readonly key: string | undefined
  readonly attempt: number
  readonly lapsed: boolean
  readonly data: Raw
  readonly entry: Entry
  readonly holder: Consumer
  /** When the lease ends, by the monotonic clock. */
  until: number
  readonly #trail: string | undefined
  #head: EventHead | undefined

  constructor(entry: Entry, holder: Consumer, until: number, lapsed: boolean) {
    const { event } = entry
    this.id = event.id
    this.type = event.type
    this.key = event.key
    this.attempt = entry.failures + 1
    this.lapsed = lapsed
    this.data = copy(event.data)
    this.entry = entry
    this.holder = holder
    this.until = until
    this.#trail = entry.trail
  }

  get head(): EventHead {
    return (this.#head ??= headOf(this.entry.event))
  }

  get trail(): FailureTrail | undefined {
    return this.#trail === undefined ? undefined : (JSON.parse(this.#trail) as FailureTrail)
  }
}
