import type { FailureTrail } from '../../contract/dead-letter.ts'
import type { Received } from '../../contract/transport.ts'
import type { EventHead } from '../../event/event.ts'
import { decodeHead } from '../../event/head.ts'
import type { Raw } from '../../event/payload.ts'

export interface MessageRow {
  readonly seq: number
  readonly id: string
  readonly type: string
  readonly key: string | null
  readonly failures: number
  readonly head: string
  readonly data: Raw
  readonly trail: string | null
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

  constructor(row: MessageRow, claim: number, lapsed: boolean) {
    this.seq = row.seq
    this.claim = claim
    this.id = row.id
    this.type = row.type
    this.key = row.key ?? undefined
    this.attempt = row.failures + 1
    this.lapsed = lapsed
    this.data = row.data
    this.#head = row.head
    this.#trail = row.trail
  }

  get head(): EventHead {
    return decodeHead(this.#head)
  }

  get trail(): FailureTrail | undefined {
    return this.#trail === null ? undefined : (JSON.parse(this.#trail) as FailureTrail)
  }
}
