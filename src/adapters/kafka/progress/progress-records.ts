import { randomUUID } from 'node:crypto'
import type { FailureTrail } from '../../../contract/dead-letter.ts'
import type { Setback } from '../consuming/kafka-event.ts'
import { chunkKey, chunksOf, type Chunk, type KnownProgress, type LaneProgress } from './progress.ts'

/** What a chunk takes besides its waiting events, at most: ranges, keys, the record around it. */
const reserve = 8 * 1024

export interface ProgressRecord {
  readonly key: string
  /** undefined: a tombstone. */
  readonly value: string | undefined
}

/**
 * What the progress topic says of one lane: a head, and one chunk for every stretch of offsets that there is something to
 * say of. Only what has changed is written.
 *
 * A crash in the middle of a write leaves old chunks beside new ones. That is no lie: a chunk speaks of nothing but its
 * own offsets, and no later one takes back what it says, for what is settled stays settled, and a failure that another
 * has followed has happened. Nothing known is lost either: a range that grows stands in the chunk of its beginning, and
 * chunks are written in ascending order, so it is there before those that it swallows are emptied. Only two histories
 * would lie together, if offsets were set back by hand, or a topic made anew. So the chunks name the epoch of their head,
 * a head that does not count is followed by one of another epoch, and each head comes before its chunks.
 */
export class ProgressRecords {
  readonly #lane: string
  readonly #epoch: string
  #written: ReadonlyMap<number, Chunk>

  /** @param known what was read of the lane, if it counts */
  constructor(lane: string, known: KnownProgress | undefined) {
    this.#lane = lane
    this.#epoch = known?.epoch ?? randomUUID()
    this.#written = known?.chunks ?? new Map()
  }

  /** What has to be written to say this, in this order, and each within the size. `written`: it is. */
  update(
    { topicId, watermark, ...rest }: LaneProgress,
    maxBytes: number,
  ): { readonly records: readonly ProgressRecord[]; written(): void } {
    const chunks = chunksOf(rest)
    const epoch = this.#epoch
    const records: ProgressRecord[] = [
      { key: this.#lane, value: JSON.stringify({ epoch, topicId, watermark }) },
    ]
    const numbers = new Set([...this.#written.keys(), ...chunks.keys()])
    for (const number of [...numbers].toSorted((a, b) => a - b)) {
      const chunk = chunks.get(number)
      if (isSame(chunk, this.#written.get(number))) continue
      const value = chunk === undefined ? undefined : encodeChunk(chunk, epoch, maxBytes)
      records.push({ key: chunkKey(this.#lane, number), value })
    }
    return { records, written: () => void (this.#written = chunks) }
  }
}

function encodeChunk({ settled, waiting }: Chunk, epoch: string, maxBytes: number): string {
  const share = Math.floor((maxBytes - reserve) / Math.max(waiting.size, 1))
  const setbacks = [...waiting].map(([offset, setback]) => encodeSetback(offset, setback, share))
  return `{"epoch":${JSON.stringify(epoch)},"settled":${JSON.stringify(settled)},"waiting":[${setbacks.join()}]}`
}

/** With as much of its trail as fits: the latest failures. */
function encodeSetback(offset: number, { attempt, due, parks, trail }: Setback, maxBytes: number): string {
  for (let rest: FailureTrail | undefined = trail; ; rest = withoutOldest(rest)) {
    const text = JSON.stringify({ offset, attempt, due, parks, trail: rest })
    if (rest === undefined || Buffer.byteLength(text) < maxBytes) return text
  }
}

function withoutOldest({ firstFailedAt, history }: FailureTrail): FailureTrail | undefined {
  return history.length === 0 ? undefined : { firstFailedAt, history: history.slice(1) }
}

/** A setback is the same only as long as it is the very same: it is never changed. */
function isSame(one: Chunk | undefined, other: Chunk | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  if (one.settled.length !== other.settled.length || one.waiting.size !== other.waiting.size) return false
  return (
    one.settled.every(([from, to], i) => from === other.settled[i]![0] && to === other.settled[i]![1]) &&
    [...one.waiting].every(([offset, setback]) => other.waiting.get(offset) === setback)
  )
}
