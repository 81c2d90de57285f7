import type { FailureTrail } from '../../contract/dead-letter.ts'
import { decodeTrail } from '../../contract/stored-json.ts'
import type { Received } from '../../contract/transport.ts'
import type { EventHead } from '../../event/event.ts'
import { decodeHead } from '../../event/head.ts'
import { sizeOf, type Raw } from '../../event/payload.ts'

/** What a claim reads of a message. `seq` has 64 bits in the database, and will not use more than 53 of them. */
export const messageColumns =
  'm.id, m.type, m.key, m.slot, m.failures, m.head, m.trail, m.data, m.bytes, m.seq::float8 AS seq, m.ctid AS tid'
/** `slot` is below 0 where there is no order. Data is in one of `data` and `bytes`. */
export type MessageRow = readonly [
  id: string,
  type: string,
  key: string | null,
  slot: number,
  failures: number,
  head: string,
  trail: string | null,
  data: string | null,
  bytes: Uint8Array | null,
  seq: number,
  tid: string,
]

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
    const [id, type, key, slot, failures, head, trail, data, bytes, seq, tid] = row
    this.seq = seq
    this.claim = claim
    this.tid = tid
    this.id = id
    this.type = type
    this.key = key ?? undefined
    this.ordered = slot >= 0
    this.attempt = failures + 1
    this.lapsed = lapsed
    this.data = data ?? bytes ?? ''
    this.#head = head
    this.#trail = trail
  }

  get head(): EventHead {
    return decodeHead(this.#head)
  }

  /** In bytes, as `claim-sql.ts` tells it of the row. */
  get size(): number {
    return sizeOf(this.#head) + sizeOf(this.data)
  }

  get trail(): FailureTrail | undefined {
    return decodeTrail(this.#trail)
  }
}
