import type { DeadLetterRecord } from '../../contract/dead-letter.ts'
import type { StoredDeadLetter } from '../../contract/transport.ts'
import { decodeHead } from '../../event/head.ts'
import { copy, type StoredEvent } from './stored-event.ts'

/** A dead letter as it is kept: the record as JSON. */
export interface Letter {
  readonly event: StoredEvent
  readonly record: string
}

/** The dead letters of a queue in the order in which they died. */
export class DeadLetters {
  readonly #letters = new Map<number, Letter>()
  #last = 0

  get size(): number {
    return this.#letters.size
  }

  add(event: StoredEvent, record: DeadLetterRecord): void {
    this.#letters.set(++this.#last, { event, record: JSON.stringify(record) })
  }

  /** Names are numbers that ascend, so that a page can begin behind a letter that is there no more. */
  page(limit: number, after: string | undefined): readonly StoredDeadLetter[] {
    const behind = after === undefined ? 0 : Number(after)
    const page: StoredDeadLetter[] = []
    for (const [number, letter] of this.#letters) {
      if (page.length >= limit) break
      if (number > behind) page.push(shown(number, letter))
    }
    return page
  }

  get(name: string): StoredDeadLetter | undefined {
    const letter = this.#letters.get(Number(name))
    return letter === undefined ? undefined : shown(Number(name), letter)
  }

  /** Takes letters out; no list: all. Names of letters that do not exist are passed over. */
  take(names: readonly string[] | undefined): readonly Letter[] {
    const numbers = names === undefined ? [...this.#letters.keys()] : names.map(Number)
    const taken: Letter[] = []
    for (const number of numbers) {
      const letter = this.#letters.get(number)
      if (letter === undefined) continue
      this.#letters.delete(number)
      taken.push(letter)
    }
    return taken
  }
}

function shown(number: number, { event, record }: Letter): StoredDeadLetter {
  return {
    letter: String(number),
    id: event.id,
    type: event.type,
    key: event.key,
    head: decodeHead(event.head),
    data: copy(event.data),
    record: JSON.parse(record) as DeadLetterRecord,
  }
}
