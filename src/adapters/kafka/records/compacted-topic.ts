import type { PlacedRecord, Reader } from './reader.ts'

/** The latest value of each key of a topic with one partition, in the order in which they were written. */
export class CompactedTopic<T> {
  readonly entries = new Map<string, T>()
  readonly #reader: Reader
  readonly #topic: string
  readonly #decode: (value: Buffer, record: PlacedRecord) => T
  #position = 0

  constructor(reader: Reader, topic: string, decode: (value: Buffer, record: PlacedRecord) => T) {
    this.#reader = reader
    this.#topic = topic
    this.#decode = decode
  }

  /** Reads what is new. @param end where the topic ends, for those who know */
  async refresh(end?: number): Promise<void> {
    if (end !== undefined && end <= this.#position) return
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
