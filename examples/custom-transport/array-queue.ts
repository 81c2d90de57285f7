import { MillraceError } from 'millrace'
import {
  encodeHead,
  type DeadLetterRecord,
  type FailureTrail,
  type Outgoing,
  type QueueSpec,
  type Raw,
  type Received,
} from 'millrace/contract'
import type { ArraySession } from './array-session.ts'

/** One event in one queue. */
export interface Entry {
  readonly event: Outgoing
  readonly head: string
  readonly takenAt: number
  due: number
  failures: number
  trail: FailureTrail | undefined
  held: Lease | undefined
}

/** Who has an event, until when by the clock of that session, and whether it was claimed alone. */
export interface Lease {
  readonly by: ArraySession
  end: number
  readonly lone: boolean
  readonly claim: Received
}

export function ranOut({ by, end }: Lease): boolean {
  return end <= by.clock.monotonic()
}

export interface Letter {
  readonly name: string
  readonly number: number
  readonly entry: Entry
  readonly record: string
}

/** Everything about one queue. Three arrays and a counter would do; the counts are for `queues()`. */
export class ArrayQueue {
  spec: QueueSpec
  readonly entries: Entry[] = []
  readonly letters: Letter[] = []
  readonly settled: { readonly at: number; readonly failed: boolean }[] = []
  /** Grows with every change, so that a session can tell whether it missed one. */
  version = 0
  removed = false
  readonly #waiting = new Set<() => void>()

  constructor(spec: QueueSpec) {
    this.spec = spec
  }

  /** Sessions may outlive the queue. */
  check(): void {
    if (this.removed) throw new MillraceError('UNKNOWN_QUEUE', `The queue '${this.spec.name}' was removed`)
  }

  changed(): void {
    this.version++
    for (const wake of this.#waiting) wake()
  }

  /** Calls `wake` at the next changes, until the function it gives back is called. */
  watch(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  add(event: Outgoing, trail?: FailureTrail): void {
    this.entries.push({
      event: { ...event, data: copy(event.data) },
      head: encodeHead(event.head),
      takenAt: Date.now(),
      due: event.deliverAt ?? 0,
      failures: 0,
      trail,
      held: undefined,
    })
    this.changed()
  }
}

/** What somebody gave or gets may be changed by them; what lies here must not. */
export function copy(data: Raw): Raw {
  return typeof data === 'string' ? data : Uint8Array.from(data)
}

export function letterOf(letters: readonly Letter[], entry: Entry, record: DeadLetterRecord): Letter {
  const number = (letters.at(-1)?.number ?? 0) + 1
  const { id } = entry.event
  const name = letters.some((letter) => letter.name === id) ? `${id}~${number}` : id
  return { name, number, entry, record: JSON.stringify(record) }
}
