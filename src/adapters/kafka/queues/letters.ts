import type { QueueLetters } from '../../../contract/letters-admin.ts'
import type { StoredDeadLetter } from '../../../contract/transport-admin.ts'
import type { EventHead } from '../../../event/event.ts'
import type { Outgoing } from '../../../event/outgoing.ts'
import { isMillraceError } from '../../../errors/millrace-error.ts'
import type { Cluster } from '../connection/cluster.ts'
import { CompactedTopic } from '../records/compacted-topic.ts'
import {
  carriedHeaders,
  find,
  headFrom,
  movedHeaders,
  partitionIn,
  recordOf,
  type MoveNote,
} from '../records/headers.ts'
import { rawOf } from '../consuming/kafka-event.ts'
import { murmur2 } from '../producing/murmur2.ts'
import { failureIn, type NewRecord } from '../producing/producing.ts'
import type { PlacedRecord, Places } from '../records/reader.ts'
import { topicsOf } from './queue-topics.ts'

/** Letters that are moved or deleted at a time. */
const batch = 200

interface Letter {
  /** The key of its record. */
  readonly key: string
  readonly name: string
  readonly offset: number
}

/** The dead letters of a queue. Which there are is kept in memory by whoever asks often; what they hold is read when needed. */
export class Letters implements QueueLetters {
  readonly #cluster: Cluster
  readonly #queue: string
  readonly #stored: CompactedTopic<{ readonly id: string; readonly offset: number }>

  constructor(cluster: Cluster, queue: string) {
    this.#cluster = cluster
    this.#queue = queue
    this.#stored = new CompactedTopic(cluster.reader, topicsOf(queue).dead, (_value, { offset, record }) => ({
      id: find(record.headers, 'id') ?? '',
      offset,
    }))
  }

  async count(ends: Places): Promise<number> {
    await this.#stored.refresh(ends)
    return this.#stored.entries.size
  }

  async page(limit: number, after: string | undefined): Promise<readonly StoredDeadLetter[]> {
    const behind = after === undefined ? -1 : Number(after)
    const letters = (await this.#all()).filter(({ offset }) => offset > behind).slice(0, limit)
    const records = await this.#read(letters)
    return letters.flatMap((letter) => shown(letter, records.get(letter.offset)))
  }

  async get(name: string): Promise<StoredDeadLetter | undefined> {
    const [letter] = await this.#named([name])
    return letter && shown(letter, (await this.#read([letter])).get(letter.offset))[0]
  }

  /** In this order: a crash in between leaves a letter that is redriven already, and never none of both. */
  async redrive(names: readonly string[] | undefined, replace: Outgoing | undefined): Promise<number> {
    return this.#forEach(names, async (letters) => {
      const records = await this.#read(letters)
      const again = await Promise.all(letters.map(({ offset }) => this.#again(records.get(offset), replace)))
      await this.#send(again.flat())
      await this.#delete(letters)
    })
  }

  purge(names: readonly string[] | undefined): Promise<number> {
    return this.#forEach(names, (letters) => this.#delete(letters))
  }

  async #again(placed: PlacedRecord | undefined, replace: Outgoing | undefined): Promise<NewRecord[]> {
    if (placed === undefined) return []
    const { headers, value } = placed.record
    const { firstFailedAt, history } = recordOf(headers, placed.timestamp)
    const note: MoveNote = { attempt: 1, due: replace?.deliverAt, trail: { firstFailedAt, history } }
    const topic = topicsOf(this.#queue).retry
    const key = find(headers, 'key')
    const home = partitionIn(headers) ?? 0
    if (replace !== undefined) {
      const partition = replace.key === key ? home : await this.#placeOf(replace)
      const moved = movedHeaders(replace, partition, note)
      return [{ topic, key: replace.key, value: replace.data, headers: moved, partition }]
    }
    const own = { id: '', type: '', source: '', topic: '', key, time: placed.timestamp, partition: home }
    const moved = carriedHeaders(headers, own, note)
    return [{ topic, key, value: value ?? undefined, headers: moved, partition: home }]
  }

  /** The partition that an event would be published to: its number counts in the retry topic, too. */
  async #placeOf({ key, head: { topic } }: Outgoing): Promise<number> {
    const counts = await this.#cluster.topics.partitions([topic])
    return key === undefined ? 0 : murmur2(Buffer.from(key)) % (counts.get(topic) ?? 1)
  }

  async #forEach(
    names: readonly string[] | undefined,
    work: (letters: readonly Letter[]) => Promise<void>,
  ): Promise<number> {
    const letters = names === undefined ? await this.#all() : await this.#named(names)
    for (let from = 0; from < letters.length; from += batch) await work(letters.slice(from, from + batch))
    return letters.length
  }

  /** In the order of death. The first of an event has its name, any other one its place besides. */
  async #all(): Promise<readonly Letter[]> {
    await this.#stored.refresh()
    const ids = new Set<string>()
    return [...this.#stored.entries].map(([key, { id, offset }]) => {
      const name = ids.has(id) ? `${id}~${offset}` : id
      ids.add(id)
      return { key, name, offset }
    })
  }

  async #named(names: readonly string[]): Promise<readonly Letter[]> {
    const wanted = new Set(names)
    return (await this.#all()).filter(({ name }) => wanted.has(name))
  }

  async #read(letters: readonly Letter[]): Promise<ReadonlyMap<number, PlacedRecord>> {
    const records = new Map<number, PlacedRecord>()
    const [first, last] = [letters[0], letters.at(-1)]
    if (first === undefined || last === undefined) return records
    const wanted = new Set(letters.map(({ offset }) => offset))
    const keep = (record: PlacedRecord): void => {
      if (wanted.has(record.offset)) records.set(record.offset, record)
    }
    await this.#cluster.reader.read(topicsOf(this.#queue).dead, first.offset, keep, last.offset + 1)
    return records
  }

  #delete(letters: readonly Letter[]): Promise<void> {
    const { dead } = topicsOf(this.#queue)
    return this.#send(letters.map(({ key }) => ({ topic: dead, key, value: undefined, partition: 0 })))
  }

  async #send(records: readonly NewRecord[]): Promise<void> {
    const error = failureIn(await this.#cluster.producing.move(records))
    if (error !== undefined) throw error
  }
}

function shown({ name, offset }: Letter, placed: PlacedRecord | undefined): StoredDeadLetter[] {
  if (placed === undefined) return []
  const { headers } = placed.record
  return [
    {
      letter: name,
      cursor: String(offset),
      id: find(headers, 'id') ?? '',
      type: find(headers, 'type') ?? '',
      key: find(headers, 'key'),
      head: headOf(placed),
      data: rawOf(placed.record),
      record: recordOf(headers, placed.timestamp),
    },
  ]
}

function headOf({ record: { headers }, timestamp }: PlacedRecord): EventHead | undefined {
  try {
    return headFrom(headers, { topic: '', timestamp })
  } catch (error) {
    // What could not be decoded is the very reason of some letters.
    if (isMillraceError(error, 'DECODE_FAILED')) return undefined
    throw error
  }
}
