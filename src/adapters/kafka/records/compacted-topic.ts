import { latest, type PlacedRecord, type Places, type Reader } from './reader.ts'

/** The latest value of each key of a topic with one partition, in the order in which they were written. */
export class CompactedTopic<T> {
  readonly entries = new Map<string, T>()
  readonly #reader: Reader
  readonly #topic: string
  readonly #decode: (value: Buffer, record: PlacedRecord) => T
  #position = 0
  #id = ''

  constructor(reader: Reader, topic: string, decode: (value: Buffer, record: PlacedRecord) => T) {
    this.#reader = reader
    this.#topic = topic
    this.#decode = decode
  }

  /** Reads what is new; all, if another topic has its name by now. @param ends where the topic ends, for those who know */
  async refresh(ends?: Places): Promise<void> {
    const topic = ends ?? (await this.#reader.places([this.#topic], latest)).get(this.#topic)
    const {
      id,
      offsets: [end = 0],
    } = topic ?? { id: '', offsets: [] }
    if (id !== this.#id) {
      this.entries.clear()
      this.#position = 0
      this.#id = id
    }
    if (end <= this.#position) return
    this.#position = await this.#reader.read(
      this.#topic,
      this.#position,
      (placed) => {
        const { key, value } = placed.record
        if (key === null) return
        const name = key.toString()
        this.entries.delete(name)
        if (value !== null) this.entries.set(name, this.#decode(value, placed))
      },
      end,
    )
  }
}
