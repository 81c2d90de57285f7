import type { Client } from './client.ts'
import { failure, says } from './failures.ts'
import { murmur2 } from './murmur2.ts'
import type { Topics } from './topics.ts'
import type { MillraceError } from '../../errors/millrace-error.ts'

export interface NewRecord {
  readonly topic: string
  readonly key: string | undefined
  /** undefined: a tombstone. */
  readonly value: Uint8Array | string | undefined
  readonly headers?: Map<Buffer, Buffer>
  /** Where a record without a key goes, modulo the number of partitions; none: anywhere. */
  readonly partition?: number
}

/** taken; or why not, and whether the broker may have it all the same. */
export type SendResult = 'taken' | { readonly error: MillraceError; readonly unknown: boolean }

/** The first failure among results. */
export function failureIn(results: readonly SendResult[] | undefined): MillraceError | undefined {
  for (const result of results ?? []) if (result !== 'taken') return result.error
  return undefined
}

/** What a record takes besides its key, value and headers, about. */
const recordOverhead = 64
/** So many records without a key go to one partition before it is the next one's turn: fewer and larger batches. */
const streak = 32
const maxCount = 10_000

interface Placed {
  readonly record: NewRecord
  readonly key: Buffer | undefined
  readonly value: Buffer | undefined
  readonly partition: number
  readonly size: number
}

/** Writes records. All of one partition in a call are one batch, which the broker takes as a whole or not at all. */
export class Producing {
  readonly #client: Client
  readonly #topics: Topics
  #spread = 0

  constructor(client: Client, topics: Topics) {
    this.#client = client
    this.#topics = topics
  }

  /** Results in the order of the records; undefined: all taken. Topics have to be there. Never rejects. */
  async send(records: readonly NewRecord[]): Promise<readonly SendResult[] | undefined> {
    const failed = (error: unknown, from: number): SendResult[] => {
      const result = { error: failure(error, 'Kafka did not take the records'), unknown: false }
      return records.map((_, i) => (i < from ? 'taken' : result))
    }
    let placed: readonly Placed[]
    try {
      placed = await this.#place(records)
    } catch (error) {
      return failed(error, 0)
    }
    for (let from = 0; from < placed.length;) {
      const end = this.#chunkEnd(placed, from)
      const chunk = placed.slice(from, end)
      try {
        await this.#client.producer.send({
          messages: chunk.map(({ record, key, value, partition }) => ({
            topic: record.topic,
            partition,
            // The client takes none for null, which its types do not say.
            value: value as Buffer,
            ...(key !== undefined && { key }),
            ...(record.headers !== undefined && { headers: record.headers }),
          })),
        })
      } catch (error) {
        // What comes behind is not sent: it must not overtake what failed.
        const results = failed(error, from)
        chunk.forEach((one, i) => {
          results[from + i] = resultOf(error, one)
        })
        return results
      }
      from = end
    }
    return undefined
  }

  async #place(records: readonly NewRecord[]): Promise<readonly Placed[]> {
    const counts = await this.#topics.partitions([...new Set(records.map(({ topic }) => topic))])
    return records.map((record) => {
      const key = record.key === undefined ? undefined : Buffer.from(record.key)
      const value = bufferOf(record.value)
      let size = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0)
      for (const [name, text] of record.headers ?? []) size += name.length + text.length + 4
      const hash =
        record.partition ?? (key === undefined ? Math.floor(this.#spread++ / streak) : murmur2(key))
      return { record, key, value, size, partition: hash % (counts.get(record.topic) ?? 1) }
    })
  }

  /** So many that no partition gets more in one batch than the broker takes. */
  #chunkEnd(placed: readonly Placed[], from: number): number {
    const { maxBytes } = this.#topics.options
    const sizes = new Map<string, number>()
    let end = from
    for (; end < placed.length && end - from < maxCount; end++) {
      const { record, partition, size } = placed[end]!
      const place = `${record.topic}:${partition}`
      const sum = (sizes.get(place) ?? 0) + size
      if (sum > maxBytes - 1_024 && sizes.has(place)) break
      sizes.set(place, sum)
    }
    return end
  }
}

function bufferOf(value: Uint8Array | string | undefined): Buffer | undefined {
  if (value === undefined) return undefined
  return typeof value === 'string'
    ? Buffer.from(value)
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** What the broker said of one partition, if it said anything. */
interface Answer {
  readonly name: string
  readonly partitionResponses: readonly { readonly index: number; readonly errorCode: number }[]
}

function resultOf(error: unknown, { record, partition }: Placed): SendResult {
  for (const { name, partitionResponses } of answersIn(error)) {
    for (const { index, errorCode } of partitionResponses) {
      if (name === record.topic && index === partition && errorCode === 0) return 'taken'
    }
  }
  const refused = says(
    error,
    'MESSAGE_TOO_LARGE',
    'RECORD_LIST_TOO_LARGE',
    'INVALID_RECORD',
    'TOPIC_AUTHORIZATION_FAILED',
  )
  return { error: failure(error, 'Kafka did not take the records'), unknown: !refused }
}

/** The client hides the answers of brokers in its errors, at any depth. */
function answersIn(error: unknown): readonly Answer[] {
  if (!(error instanceof Error)) return []
  const { response, errors } = error as {
    response?: { responses?: readonly Answer[] }
    errors?: readonly unknown[]
  }
  return [...(response?.responses ?? []), ...(errors ?? []).flatMap(answersIn)]
}
