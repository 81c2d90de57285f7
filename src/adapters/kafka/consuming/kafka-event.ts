import { isUtf8 } from 'node:buffer'
import type { KafkaRecord } from '@platformatic/kafka'
import type { FailureTrail } from '../../../contract/dead-letter.ts'
import type { Received } from '../../../contract/transport.ts'
import type { EventHead } from '../../../event/event.ts'
import { isJson, mediaType, type Raw } from '../../../event/payload.ts'
import { ownBytes } from '../records/own-bytes.ts'
import { carriedHeaders, dateOf, find, headFrom, partitionIn, type MoveNote } from '../records/headers.ts'
import type { Lane } from './lane.ts'
import type { PlacedRecord } from '../records/reader.ts'

/** What happened to an event after it was read, while it keeps its place in its topic. */
export interface Setback {
  readonly attempt: number
  readonly trail: FailureTrail | undefined
  /** When it may be handed out, in milliseconds since 1970; 0: at once. */
  readonly due: number
  /** Whether its key waits for it. */
  readonly parks: boolean
}

/** One hand-out of a record. It is its own lease: a record that is handed out again is a new one of these. */
export class KafkaEvent implements Received {
  readonly id: string
  readonly type: string
  readonly key: string | undefined
  readonly attempt: number
  readonly lapsed = false
  readonly lane: string
  readonly from: Lane
  readonly offset: number
  readonly timestamp: number
  readonly setback: Setback | undefined
  record: KafkaRecord
  /** Its place among all that this process has read for the queue. */
  sequence = 0
  /** waiting: for its turn or its time. held: handed out. moving: on its way into another topic. over: settled, or no longer ours. */
  state: 'waiting' | 'held' | 'moving' | 'over' = 'waiting'
  /** Whether its key waits for it just now. */
  parked = false
  /** Its place among what that session holds. */
  slot = -1
  /** The session that holds it. */
  holder: object | undefined

  constructor(from: Lane, { offset, timestamp, record }: PlacedRecord, setback: Setback | undefined) {
    const { headers } = record
    this.from = from
    this.lane = from.name
    this.offset = offset
    this.timestamp = timestamp
    this.record = record
    this.setback = setback
    this.id = find(headers, 'id') ?? `${from.topic}/${from.partition}/${offset}`
    this.type = find(headers, 'type') ?? from.topic
    this.key = find(headers, 'key') ?? record.key?.toString()
    this.attempt = (setback ?? from.noteOf(record))?.attempt ?? 1
  }

  /** The same event, to be handed out once more. */
  again(setback: Setback | undefined): KafkaEvent {
    const again = new KafkaEvent(this.from, this, setback)
    again.sequence = this.sequence
    return again
  }

  /** To be called if it is to wait: else all that was read with it would stay in memory, too. */
  detach(): void {
    this.record = ownBytes(this.record)
  }

  get head(): EventHead {
    return headFrom(this.record.headers, { topic: this.from.topic, timestamp: this.timestamp })
  }

  get data(): Raw {
    return rawOf(this.record)
  }

  get trail(): FailureTrail | undefined {
    return (this.setback ?? this.from.noteOf(this.record))?.trail
  }

  /** When it may be handed out, in milliseconds since 1970; 0: at once. */
  get due(): number {
    if (this.setback !== undefined) return this.setback.due
    return this.from.own ? (this.from.noteOf(this.record)?.due ?? 0) : dateOf(this.record.headers)
  }

  /** The partition it was published to. It keeps the number in the retry topic, so that it stays with who has its key. */
  get home(): number {
    const { own, partition } = this.from
    return (own ? partitionIn(this.record.headers) : undefined) ?? partition
  }

  get size(): number {
    return this.record.length
  }

  /** Its headers in a topic of the queue. */
  moved(note: MoveNote | { readonly record: string }): Map<Buffer, Buffer> {
    const { id, type, key, timestamp, record, from, home } = this
    const source = `kafka:${from.topic}`
    const own = { id, type, key, source, time: timestamp, topic: from.topic, partition: home }
    return carriedHeaders(record.headers, own, note)
  }
}

/** Text where it is text. Binary data is a copy: whoever writes into it changes only his own. */
export function rawOf({ headers, value }: KafkaRecord): Raw {
  if (value === null) return ''
  const contentType = find(headers, 'contentType')
  const isText = isJson(contentType) || mediaType(contentType as string).startsWith('text/')
  return isText && isUtf8(value) ? value.toString() : new Uint8Array(value)
}
