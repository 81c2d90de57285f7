import type { MessageToProduce } from '@platformatic/kafka'
import { pause, systemClock } from '../../../clock/clock.ts'
import type { Client } from '../connection/client.ts'
import { failure, isUnsent, says } from '../connection/failures.ts'
import { murmur2 } from './murmur2.ts'
import { widen } from '../queues/room.ts'
import type { Topics } from '../queues/topics.ts'
import type { MillraceError } from '../../../errors/millrace-error.ts'

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
/** What one request may hold: records, and bytes, about. */
const maxCount = 10_000
const requestBytes = 16 * 1024 * 1024

/** How often a topic that refuses a record is tried after it was made to take it, and with what wait, in milliseconds. */
const widenings = 5
const widening = 100

const notTaken = 'Kafka did not take the records'

interface Placed {
  readonly record: NewRecord
  readonly key: Buffer | undefined
  readonly value: Buffer | undefined
  readonly partition: number
  readonly size: number
}

/** One call of `send`. */
interface Call {
  readonly placed: readonly Placed[]
  /** How many of them were sent. */
  sent: number
  resolve(results: readonly SendResult[] | undefined): void
}

/** The next records of a call. */
interface Part {
  readonly call: Call
  readonly records: readonly Placed[]
}

/**
 * Writes records. All of one partition in a request are one batch, which the broker takes as a whole or not at all.
 *
 * One request is under way at a time, and takes along what all calls have brought meanwhile. For Kafka drops a batch
 * whose sequence number it has seen and answers as if it had taken it; and when a request fails, the client begins to
 * count anew under another producer id, but others that have begun would go on with the old id and the new numbers.
 */
export class Producing {
  readonly #client: Client
  readonly #topics: Topics
  #calls: Call[] = []
  #running = false
  #spread = 0

  constructor(client: Client, topics: Topics) {
    this.#client = client
    this.#topics = topics
  }

  /** Results in the order of the records; undefined: all taken. Topics have to be there. Never rejects. */
  async send(records: readonly NewRecord[]): Promise<readonly SendResult[] | undefined> {
    if (records.length === 0) return undefined
    let placed: readonly Placed[]
    try {
      placed = await this.#place(records)
    } catch (error) {
      return records.map(() => ({ error: failure(error, notTaken), unknown: false }))
    }
    return new Promise((resolve) => {
      this.#calls.push({ placed, sent: 0, resolve })
      if (!this.#running) void this.#run()
    })
  }

  /**
   * The same, into topics of queues. What they get comes from topics that may take larger records than others do: where one
   * of them refuses a record for its size, it is made to take it.
   */
  async move(records: readonly NewRecord[], tries = widenings): Promise<readonly SendResult[] | undefined> {
    const results = await this.send(records)
    const refused = records.filter((_, at) => isTooLarge(results?.[at]))
    if (results === undefined || refused.length === 0 || tries === 0) return results
    const again = await this.#moveWidened(refused, tries - 1)
    let next = 0
    return results.map((result) => (isTooLarge(result) ? (again?.[next++] ?? 'taken') : result))
  }

  async #moveWidened(
    records: readonly NewRecord[],
    tries: number,
  ): Promise<readonly SendResult[] | undefined> {
    const sizes = new Map<string, number>()
    for (const record of records) {
      const { topic, key = '', value = '', headers } = record
      const size = sizeOf(Buffer.byteLength(key), Buffer.byteLength(value), headers)
      sizes.set(topic, Math.max(size, sizes.get(topic) ?? 0))
    }
    try {
      await widen(this.#client, sizes)
    } catch (error) {
      return records.map(() => ({
        error: failure(error, 'No room could be made for larger records'),
        unknown: false,
      }))
    }
    // A broker hears of it a moment later.
    await pause(systemClock, widening)
    return this.move(records, tries)
  }

  async #run(): Promise<void> {
    this.#running = true
    // What is sent in this turn of the event loop goes together.
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.#calls.length > 0) {
      await this.#request(this.#next())
      this.#calls = this.#calls.filter(({ placed, sent }) => sent < placed.length)
    }
    this.#running = false
  }

  async #request(parts: readonly Part[]): Promise<void> {
    const records = parts.flatMap((part) => part.records)
    try {
      await this.#client.producer.send({ messages: records.map(messageOf) })
    } catch (error) {
      if (isUnsent(error)) this.#topics.forget(records.map(({ record }) => record.topic))
      // Where one call's topic is gone, the others have theirs still.
      if (isUnsent(error) && parts.length > 1) for (const part of parts) await this.#request([part])
      else for (const part of parts) fail(part, error)
      return
    }
    for (const { call, records: sent } of parts) {
      call.sent += sent.length
      if (call.sent === call.placed.length) call.resolve(undefined)
    }
  }

  /** Of every call the records that come next, so many that no partition gets more in one batch than the broker takes. */
  #next(): readonly Part[] {
    const largest = this.#topics.options.maxBytes - 1_024
    const sizes = new Map<string, number>()
    let count = 0
    let bytes = 0
    const parts: Part[] = []
    for (const call of this.#calls) {
      let end = call.sent
      for (; end < call.placed.length && count < maxCount && bytes < requestBytes; end++) {
        const { record, partition, size } = call.placed[end]!
        const place = `${record.topic}:${partition}`
        const sum = (sizes.get(place) ?? 0) + size
        const full = sum > largest && sizes.has(place)
        // Nothing of another call overtakes what has no room.
        sizes.set(place, full ? Infinity : sum)
        if (full) break
        count++
        bytes += size
      }
      if (end > call.sent) parts.push({ call, records: call.placed.slice(call.sent, end) })
    }
    return parts
  }

  async #place(records: readonly NewRecord[]): Promise<readonly Placed[]> {
    const counts = await this.#topics.partitions([...new Set(records.map(({ topic }) => topic))])
    return records.map((record) => {
      const key = record.key === undefined ? undefined : Buffer.from(record.key)
      const value = bufferOf(record.value)
      const size = sizeOf(key?.length ?? 0, value?.length ?? 0, record.headers)
      const hash =
        record.partition ?? (key === undefined ? Math.floor(this.#spread++ / streak) : murmur2(key))
      return { record, key, value, size, partition: hash % (counts.get(record.topic) ?? 1) }
    })
  }
}

function sizeOf(key: number, value: number, headers: NewRecord['headers']): number {
  let size = recordOverhead + key + value
  for (const [name, text] of headers ?? []) size += name.length + text.length + 4
  return size
}

function isTooLarge(result: SendResult | undefined): boolean {
  return typeof result === 'object' && result.error.code === 'EVENT_TOO_LARGE'
}

function messageOf({
  record,
  key,
  value,
  partition,
}: Placed): MessageToProduce<Buffer, Buffer, Buffer, Buffer> {
  return {
    topic: record.topic,
    partition,
    // The client takes none for null, which its types do not say.
    value: value as Buffer,
    ...(key !== undefined && { key }),
    ...(record.headers !== undefined && { headers: record.headers }),
  }
}

/** Ends the call. What comes behind is not sent: it must not overtake what failed. */
function fail({ call, records }: Part, error: unknown): void {
  const behind = { error: failure(error, notTaken), unknown: false }
  const results = call.placed.map((_, i): SendResult => (i < call.sent ? 'taken' : behind))
  records.forEach((one, i) => (results[call.sent + i] = resultOf(error, one)))
  call.sent = call.placed.length
  call.resolve(results)
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
  const refused =
    isUnsent(error) ||
    says(error, 'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'TOPIC_AUTHORIZATION_FAILED')
  return { error: failure(error, notTaken), unknown: !refused }
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
