import type { FailureTrail } from '../../contract/dead-letter.ts'
import type { Received } from '../../contract/transport.ts'
import type { EventHead } from '../../event/event.ts'
import { decodeHead } from '../../event/head.ts'
import { bytesOf, type Raw } from '../../event/payload.ts'
import { decodeTrail } from '../../contract/stored-json.ts'

/** What claims read of an event, behind its place: as an array, which is cheaper than an object. */
export const eventColumns = 'e.id, e.type, e.key, e.failures, e.head, e.trail, e.data'
export type EventRow = readonly [
  seq: number,
  id: string,
  type: string,
  key: string | null,
  failures: number,
  head: string,
  trail: string | null,
  data: Raw,
]

/** Data as it is stored. Node 22 reads text only up to a NUL, so text that has one is kept as its bytes. */
export function storedData(data: Raw): Raw {
  return typeof data === 'string' && data.includes('\u0000') ? bytesOf(data) : data
}

/** An event as claimed. `seq` and `claim` are its lease: no other claim, by whomever, has both. */
export class StoredEvent implements Received {
  readonly seq: number
  readonly claim: number
  readonly id: string
  readonly type: string
  readonly key: string | undefined
  readonly attempt: number
  readonly lapsed: boolean
  readonly data: Raw
  readonly #head: string
  readonly #trail: string | null

  constructor(row: EventRow, claim: number, lapsed: boolean) {
    this.seq = row[0]
    this.claim = claim
    this.id = row[1]
    this.type = row[2]
    this.key = row[3] ?? undefined
    this.attempt = row[4] + 1
    this.lapsed = lapsed
    this.data = row[7]
    this.#head = row[5]
    this.#trail = row[6]
  }

  get head(): EventHead {
    return decodeHead(this.#head)
  }

  get trail(): FailureTrail | undefined {
    return decodeTrail(this.#trail)
  }
}
