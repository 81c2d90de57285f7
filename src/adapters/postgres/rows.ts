import type { Outgoing } from '../../event/outgoing.ts'
import { storedData } from './stored-data.ts'
import { bytesColumn, int4Column, int8Column, textColumn } from './columns.ts'
import type { Scratch } from './scratch.ts'

/** The rows that a publish writes, column by column: one for each queue of an event, or one without a queue. */
export class Rows {
  readonly queues: (number | null)[] = []
  readonly #topics: string[] = []
  readonly #ids: string[] = []
  readonly #types: string[] = []
  readonly #keys: (string | null)[] = []
  readonly #heads: string[] = []
  readonly #data: (string | null)[] = []
  readonly #bytes: (Uint8Array | null)[] = []
  readonly #due: (number | null)[] = []
  readonly #delays: (number | null)[] = []
  #hasBytes = false
  #hasDue = false
  #hasDelay = false
  /** Whether there is one without a queue. */
  hasUnrouted = false

  add(queue: number | null, { topic, id, type, key, deliverAt, delay, data }: Outgoing, head: string): void {
    this.queues.push(queue)
    this.#topics.push(topic)
    this.#ids.push(id)
    this.#types.push(type)
    this.#keys.push(key ?? null)
    this.#heads.push(head)
    const stored = storedData(data)
    this.#data.push(stored.data)
    this.#bytes.push(stored.bytes)
    this.#due.push(deliverAt ?? null)
    this.#delays.push(delay ?? null)
    this.#hasBytes ||= stored.bytes !== null
    this.#hasDue ||= deliverAt !== undefined
    this.#hasDelay ||= delay !== undefined
    this.hasUnrouted ||= queue === null
  }

  /**
   * For `unnest`, in the order of the parameters in `publishing.ts`. What is shorter than the others is filled up with NULL; a type
   * or a head that is NULL is that of the first row.
   */
  columns(scratch: Scratch): readonly Buffer[] {
    return [
      int4Column(this.queues, scratch),
      textColumn(this.#ids, scratch),
      textColumn(likeTheFirst(this.#types), scratch),
      textColumn(this.#keys, scratch),
      textColumn(likeTheFirst(this.#heads), scratch),
      textColumn(this.#data, scratch),
      bytesColumn(this.#hasBytes ? this.#bytes : [], scratch),
      int8Column(this.#hasDue ? this.#due : [], scratch),
      int8Column(this.#hasDelay ? this.#delays : [], scratch),
      textColumn(this.hasUnrouted ? this.#topics : [], scratch),
    ]
  }
}

/** Events that leave together mostly say the same: once is enough. */
function likeTheFirst(values: readonly string[]): readonly (string | null)[] {
  const [first] = values
  return values.map((value, i) => (i > 0 && value === first ? null : value))
}
