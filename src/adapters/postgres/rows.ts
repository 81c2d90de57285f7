import type { Outgoing } from '../../event/outgoing.ts'
import { storedData } from './stored-data.ts'
import { bytesColumn, int4Column, int8Column, textColumn } from './columns.ts'

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

  /** For `unnest`, in the order of the parameters in `publishing.ts`. What is shorter than the others is filled up with NULL. */
  columns(): readonly Buffer[] {
    return [
      int4Column(this.queues),
      textColumn(this.#ids),
      textColumn(this.#types),
      textColumn(this.#keys),
      textColumn(this.#heads),
      textColumn(this.#data),
      bytesColumn(this.#hasBytes ? this.#bytes : []),
      int8Column(this.#hasDue ? this.#due : []),
      int8Column(this.#hasDelay ? this.#delays : []),
      textColumn(this.hasUnrouted ? this.#topics : []),
    ]
  }
}
