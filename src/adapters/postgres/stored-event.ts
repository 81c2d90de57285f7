import type { FailureTrail } from '../../contract/dead-letter.ts'
import { decodeTrail } from '../../contract/stored-json.ts'
import type { Received } from '../../contract/transport.ts'
import type { EventHead } from '../../event/event.ts'
import { decodeHead } from '../../event/head.ts'
import type { Raw } from '../../event/payload.ts'

/** What a claim reads of a message. `seq` has 64 bits in the database, and will not use more than 53 of them. */
export const messageColumns =
  'm.id, m.type, m.key, m.slot, m.failures, m.head, m.trail, m.data, m.bytes, m.seq::float8 AS seq, m.ctid AS tid'
export interface MessageRow {
  readonly id: string
  readonly type: string
  readonly key: string | null
  /** Below 0 where there is no order. */
  readonly slot: number
  readonly failures: number
  readonly head: string
  readonly trail: string | null
  /** Or `bytes`. */
  readonly data: string | null
  readonly bytes: Uint8Array | null
  readonly seq: number
  readonly tid: string
}

/** An event as claimed. `id` and `claim` are its lease: no other claim, by whomever, has both. */
export class StoredEvent implements Received {
  readonly seq: number
  /** As text: it has 64 bits. */
  readonly claim: string
  /** Where in its table the row is, `(page,number)`, as far as is known: each change of a row moves it. */
  tid: string
  readonly id: string
  readonly type: string
  readonly key: string | undefined
  /** Whether it has a key that keeps order. */
  readonly ordered: boolean
  readonly attempt: number
  readonly lapsed: boolean
  readonly data: Raw
  readonly #head: string
  readonly #trail: string | null

  constructor(row: MessageRow, claim: string, lapsed: boolean) {
    this.seq = row.seq
    this.claim = claim
    this.tid = row.tid
    this.id = row.id
    this.type = row.type
    this.key = row.key ?? undefined
    this.ordered = row.slot >= 0
    this.attempt = row.failures + 1
    this.lapsed = lapsed
    this.data = row.data ?? row.bytes ?? ''
    this.#head = row.head
    this.#trail = row.trail
  }

  get head(): EventHead {
    return decodeHead(this.#head)
  }

  get trail(): FailureTrail | undefined {
    return decodeTrail(this.#trail)
  }
}
