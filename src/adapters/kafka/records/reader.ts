import type { Consumer, KafkaRecord, RecordsBatch } from '@platformatic/kafka'
import { pause, systemClock } from '../../../clock/clock.ts'
import type { Client } from '../connection/client.ts'
import { failure, isNetwork, isUnknownTopic, says } from '../connection/failures.ts'

/** A record with its place, as numbers: an offset beyond 2^53 would take millions of years. */
export interface PlacedRecord {
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly record: KafkaRecord
}

/** Places in all partitions of one topic. */
export interface Places {
  /** Which of the topics that ever had this name it is. */
  readonly id: string
  /** By partition. */
  readonly offsets: readonly number[]
}

export const earliest = -2n
export const latest = -1n

const controlBatch = 1 << 5
const pageBytes = 4 * 1024 * 1024
const retries = 6

/** The records of batches from an offset on. A batch may begin before what was asked for; control records are for brokers. */
export function* recordsFrom(batches: readonly RecordsBatch[], from: number): Generator<PlacedRecord> {
  for (const batch of batches) {
    if ((batch.attributes & controlBatch) !== 0) continue
    const first = Number(batch.firstOffset)
    const time = Number(batch.firstTimestamp)
    for (const record of batch.records) {
      const offset = first + record.offsetDelta
      if (offset >= from) yield { offset, timestamp: time + Number(record.timestampDelta), record }
    }
  }
}

/** The offset behind the batches. */
export function endOf(batches: readonly RecordsBatch[]): number | undefined {
  const last = batches.at(-1)
  return last === undefined ? undefined : Number(last.firstOffset) + last.lastOffsetDelta + 1
}

/** Reads pieces of topics for whoever asks, one after the other: its connection has one fetch session. */
export class Reader {
  readonly #consumer: Consumer
  #turn: Promise<unknown> = Promise.resolve()

  constructor(client: Client) {
    this.#consumer = client.reader()
  }

  /** Gives all records of the topic's only partition from an offset to `to`, or to its present end. Returns where it ended. */
  read(topic: string, from: number, each: (record: PlacedRecord) => void, to?: number): Promise<number> {
    return this.#inTurn(async () => {
      let end = to ?? (await this.#end(topic))
      let at = from
      while (at < end) {
        const batches = await this.#fetch(topic, 0, at, pageBytes)
        for (const record of recordsFrom(batches, at)) if (record.offset < end) each(record)
        at = Math.max(at, endOf(batches) ?? at)
        // A shorter topic may have taken its name.
        if (batches.length === 0) end = Math.min(end, await this.#end(topic))
      }
      return end
    })
  }

  /** The first record at or behind an offset; undefined if there is none. */
  first(topic: string, partition: number, from: number): Promise<PlacedRecord | undefined> {
    return this.#inTurn(async () => {
      const [record] = recordsFrom(await this.#fetch(topic, partition, from, 1), from)
      return record
    })
  }

  /** Where the partitions of topics begin or end now. */
  places(
    topics: readonly string[],
    which: typeof earliest | typeof latest,
  ): Promise<ReadonlyMap<string, Places>> {
    return this.#inTurn(async () => {
      if (topics.length === 0) return new Map()
      // The id comes first: if the topic is replaced meanwhile, its places are taken for those of one that is gone.
      const { topics: found } = await this.#consumer.metadata({ topics: [...topics], forceUpdate: true })
      const offsets = await this.#offsets(topics, which)
      return new Map([...found].map(([topic, { id }]) => [topic, { id, offsets: offsets.get(topic) ?? [] }]))
    })
  }

  close(): Promise<void> {
    return this.#consumer.close()
  }

  async #end(topic: string): Promise<number> {
    return (await this.#offsets([topic], latest)).get(topic)?.[0] ?? 0
  }

  async #offsets(
    topics: readonly string[],
    timestamp: bigint,
  ): Promise<ReadonlyMap<string, readonly number[]>> {
    const offsets = await this.#consumer.listOffsets({ topics: [...topics], timestamp })
    return new Map([...offsets].map(([topic, list]) => [topic, list.map(Number)]))
  }

  async #fetch(
    topic: string,
    partition: number,
    from: number,
    bytes: number,
  ): Promise<readonly RecordsBatch[]> {
    const found = (await this.#consumer.metadata({ topics: [topic] })).topics.get(topic)
    const leader = found?.partitions[partition]?.leader
    if (found === undefined || leader === undefined) return []
    this.#consumer.topics.track(topic)
    try {
      const { responses } = await this.#consumer.fetch({
        node: leader,
        maxWaitTime: 100,
        minBytes: 1,
        maxBytes: bytes,
        topics: [
          {
            topicId: found.id,
            partitions: [
              {
                partition,
                currentLeaderEpoch: -1,
                fetchOffset: BigInt(from),
                lastFetchedEpoch: -1,
                partitionMaxBytes: bytes,
              },
            ],
          },
        ],
      })
      return responses[0]?.partitions[0]?.records ?? []
    } finally {
      this.#consumer.topics.untrack(topic)
    }
  }

  /** Repeats what the broker could not answer for the moment. @throws MillraceError */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const repeated = async (attempt = 1): Promise<T> => {
      try {
        return await work()
      } catch (error) {
        if (attempt > retries || !isPassing(error)) throw failure(error, 'Kafka could not be read')
        this.#consumer.clearMetadata()
        await pause(systemClock, Math.min(50 * 2 ** attempt, 1_000))
        return repeated(attempt + 1)
      }
    }
    const result = this.#turn.then(() => repeated())
    this.#turn = result.catch(() => {})
    return result
  }
}

function isPassing(error: unknown): boolean {
  return (
    isNetwork(error) ||
    // Brokers learn of a topic only after it was made.
    isUnknownTopic(error) ||
    says(
      error,
      'NOT_LEADER_OR_FOLLOWER',
      'LEADER_NOT_AVAILABLE',
      'FENCED_LEADER_EPOCH',
      'FETCH_SESSION_ID_NOT_FOUND',
      'INVALID_FETCH_SESSION_EPOCH',
      'COORDINATOR_LOAD_IN_PROGRESS',
      'COORDINATOR_NOT_AVAILABLE',
      'NOT_COORDINATOR',
    )
  )
}
