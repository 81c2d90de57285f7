import type { KafkaRecord, RecordsBatch } from '@platformatic/kafka'
import { maxAhead } from '../../../contract/lanes.ts'
import { noteOf, type MoveNote } from '../records/headers.ts'
import { KafkaEvent, type Setback } from './kafka-event.ts'
import { endOf, recordsFrom, type PlacedRecord } from '../records/reader.ts'
import { ProgressRecords } from '../progress/progress-records.ts'
import { joined, type KnownProgress, type LaneProgress, type Range } from '../progress/progress.ts'
import type { Partition } from '../queues/registry.ts'

/** What waits in memory before more is fetched, in bytes. */
const enoughBuffered = 1024 * 1024

/** What is left of an event that is settled, while one before it is not. */
interface Over {
  readonly state: 'over'
  readonly offset: number
  readonly size: number
}

/** How many events of a lane are where, above its watermark. */
export interface LaneStanding {
  readonly watermark: number
  readonly held: number
  readonly retrying: number
  readonly delayed: number
  readonly settled: number
}

export function nameOf(topic: string, partition: number): string {
  return `${topic}:${partition}`
}

/**
 * One partition in the hands of this process. Records are fetched ahead and taken in their order; the watermark follows
 * the first that is not settled and never passes it.
 */
export class Lane implements Partition {
  readonly name: string
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** Whether the topic is one of the queue's own, whose headers of ours can be believed. */
  readonly own: boolean
  /** Where its progress is written down. */
  readonly records: ProgressRecords
  /** What was committed last. */
  committed: number
  /** Why it is in our hands no more: somebody else may have it, or its topic or queue is gone. */
  lost: 'taken' | 'gone' | undefined
  /** Events that were settled, and not written down since. */
  unsaved = 0
  /** The offset to fetch from. */
  position: number
  #batches: {
    readonly records: Iterator<PlacedRecord>
    readonly bytes: number
    readonly fetchedAt: number
  }[] = []
  #buffered = 0
  #next: PlacedRecord | undefined
  /** The offset behind the last record that was taken. */
  #taken: number
  /** What was taken and is at or above the watermark, by offset. */
  #line: (KafkaEvent | Over)[] = []
  #head = 0
  #aheadBytes = 0
  /** Whether it was told that it is full. */
  #told = false
  /** Left by whoever had the lane before, and which of its ranges comes next. */
  readonly #known: KnownProgress | undefined
  #range = 0

  constructor(
    { topic, topicId, partition }: Partition,
    own: boolean,
    start: number,
    known: KnownProgress | undefined,
  ) {
    this.name = nameOf(topic, partition)
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.own = own
    this.committed = start
    this.position = start
    this.#taken = start
    this.#known = known
    this.records = new ProgressRecords(this.name, known)
  }

  /** Whether there is room for more of what is fetched. */
  get hungry(): boolean {
    return this.#buffered < enoughBuffered
  }

  /** Whether more may be taken. */
  get open(): boolean {
    return this.#ahead < maxAhead.events && this.#aheadBytes < maxAhead.bytes
  }

  /** Whether it is full and nobody was told, since less than half of that was ahead. */
  pauses(): boolean {
    if (this.open || this.#told) return false
    this.#told = true
    return true
  }

  /** The first event that is not settled. */
  get first(): KafkaEvent | undefined {
    this.watermark()
    return this.#line[this.#head] as KafkaEvent | undefined
  }

  get #ahead(): number {
    return this.#line.length - this.#head
  }

  noteOf(record: KafkaRecord): MoveNote | undefined {
    return this.own ? noteOf(record.headers) : undefined
  }

  /** Takes over what was fetched from `position` on. */
  accept(batches: readonly RecordsBatch[], fetchedAt: number): void {
    const end = endOf(batches)
    if (end === undefined) return
    const bytes = batches.reduce((sum, batch) => sum + batch.length, 0)
    this.#batches.push({ records: recordsFrom(batches, this.position), bytes, fetchedAt })
    this.#buffered += bytes
    this.position = Math.max(this.position, end)
  }

  /** The next record, and when it was fetched; it stays until `pass` or `take`. */
  peek(): { readonly record: PlacedRecord; readonly fetchedAt: number } | undefined {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      while (this.#next === undefined) {
        const { value, done } = batch.records.next()
        if (done === true) break
        if (!this.#isSettled(value.offset)) this.#next = value
      }
      if (this.#next !== undefined) return { record: this.#next, fetchedAt: batch.fetchedAt }
      this.#batches.shift()
      this.#buffered -= batch.bytes
      if (this.#batches.length === 0) this.#taken = this.position
    }
    return undefined
  }

  /** Passes the next record over: nobody wants it. */
  pass(): void {
    this.#taken = (this.#next as PlacedRecord).offset + 1
    this.#next = undefined
  }

  take(): KafkaEvent {
    const record = this.#next as PlacedRecord
    this.pass()
    const event = new KafkaEvent(this, record, this.#known?.waiting.get(record.offset))
    this.#line.push(event)
    this.#aheadBytes += event.size
    return event
  }

  /** Puts another hand-out of the same record in the place of one. */
  replace(event: KafkaEvent, setback: Setback | undefined): KafkaEvent {
    const again = event.again(setback)
    event.state = 'over'
    this.#line[this.#indexOf(event.offset)] = again
    return again
  }

  /** The event is settled. Those before it may not be for long, and what it holds is not to stay in memory until then. */
  settle(event: KafkaEvent): void {
    event.state = 'over'
    this.unsaved++
    const { offset, size } = event
    const place = this.#indexOf(offset)
    if (this.#line[place] === event) this.#line[place] = { state: 'over', offset, size }
  }

  /** The offset of the first record that is not settled. */
  watermark(): number {
    for (let first = this.#line[this.#head]; first?.state === 'over'; first = this.#line[this.#head]) {
      this.#aheadBytes -= first.size
      this.#head++
    }
    if (this.#ahead < maxAhead.events / 2 && this.#aheadBytes < maxAhead.bytes / 2) this.#told = false
    if (this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head)
      this.#head = 0
    }
    return this.#line[this.#head]?.offset ?? this.#taken
  }

  /** What whoever has the lane next should know: what happened here, and what is known of before and not reached yet. */
  progress(): LaneProgress {
    const watermark = this.watermark()
    const settled: Range[] = [...(this.#known?.settled ?? [])]
    const waiting = new Map([...(this.#known?.waiting ?? [])].filter(([offset]) => offset >= this.#taken))
    let from: number | undefined
    for (let i = this.#head; i < this.#line.length; i++) {
      const event = this.#line[i]!
      if (event.state === 'over') from ??= event.offset
      else {
        if (from !== undefined) settled.push([from, event.offset])
        from = undefined
        if (event.setback !== undefined) waiting.set(event.offset, event.setback)
      }
    }
    if (from !== undefined) settled.push([from, this.#taken])
    return { topicId: this.topicId, watermark, settled: joined(settled, watermark), waiting }
  }

  /** All that is taken and not settled. */
  *unsettled(): Generator<KafkaEvent> {
    for (let i = this.#head; i < this.#line.length; i++) {
      const event = this.#line[i]!
      if (event.state !== 'over') yield event
    }
  }

  /** What is under way here. */
  standing(now: number): LaneStanding {
    const { watermark, settled } = this.progress()
    const standing = { watermark, held: 0, retrying: 0, delayed: 0, settled: 0 }
    for (const [from, to] of settled) standing.settled += to - from
    for (const event of this.unsettled()) {
      if (event.state === 'held') standing.held++
      else if (event.due > now) standing[event.attempt > 1 ? 'retrying' : 'delayed']++
    }
    return standing
  }

  /** Asked for ascending offsets. */
  #isSettled(offset: number): boolean {
    const ranges = this.#known?.settled ?? []
    while (this.#range < ranges.length && ranges[this.#range]![1] <= offset) this.#range++
    const range = ranges[this.#range]
    return range !== undefined && range[0] <= offset
  }

  #indexOf(offset: number): number {
    let low = this.#head
    let high = this.#line.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#line[middle]!.offset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
