import type { DeadLetterRecord } from '../../contract/dead-letter.ts'
import type { StoredDeadLetter } from '../../contract/transport-admin.ts'
import { copy, headOf, placeBytes, type StoredEvent } from './stored-event.ts'

/** A dead letter as it is kept: the record as JSON. */
export interface Letter {
  readonly name: string
  readonly event: StoredEvent
  readonly record: string
}

/** The dead letters of a queue in the order in which they died. */
export class DeadLetters {
  readonly #letters = new Map<number, Letter>()
  readonly #numbers = new Map<string, number>()
  #last = 0
  #bytes = 0

  get size(): number {
    return this.#letters.size
  }

  /** What the letters take, about. */
  get bytes(): number {
    return this.#bytes
  }

  add(event: StoredEvent, record: DeadLetterRecord): void {
    const number = ++this.#last
    const name = this.#numbers.has(event.id) ? `${event.id}~${number}` : event.id
    const letter: Letter = { name, event, record: JSON.stringify(record) }
    this.#letters.set(number, letter)
    this.#numbers.set(name, number)
    this.#bytes += sizeOf(letter)
  }

  /** Cursors are numbers that ascend, so that a page can begin behind a letter that is there no more. */
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
    const number = this.#numbers.get(name)
    return number === undefined ? undefined : shown(number, this.#letters.get(number) as Letter)
  }

  /** Takes letters out; no list: all. Names of letters that do not exist are passed over. */
  take(names: readonly string[] | undefined): readonly Letter[] {
    const taken: Letter[] = []
    for (const name of names ?? [...this.#numbers.keys()]) {
      const number = this.#numbers.get(name)
      if (number === undefined) continue
      const letter = this.#letters.get(number) as Letter
      taken.push(letter)
      this.#bytes -= sizeOf(letter)
      this.#letters.delete(number)
      this.#numbers.delete(name)
    }
    return taken
  }
}

function sizeOf({ event, record }: Letter): number {
  return placeBytes + event.size + record.length
}

function shown(number: number, { name, event, record }: Letter): StoredDeadLetter {
  return {
    letter: name,
    cursor: String(number),
    id: event.id,
    type: event.type,
    key: event.key,
    head: headOf(event),
    data: copy(event.data),
    record: JSON.parse(record) as DeadLetterRecord,
  }
}
