import type { Setback } from '../consuming/kafka-event.ts'
import { isRates } from './stored-rates.ts'
import { fieldsIn, isFields, isOffset, isTrail } from '../records/stored-json.ts'

/** Settled offsets: from the first, up to but without the second. */
export type Range = readonly [from: number, to: number]

/** How far a queue has come in one lane, beyond what a committed offset can say. */
export interface LaneProgress {
  /** Which of the topics that ever had this name it is about. */
  readonly topicId: string
  readonly watermark: number
  /** What is settled above the watermark, ascending. */
  readonly settled: readonly Range[]
  /** What waits in memory with failures or a time of its own, by offset. */
  readonly waiting: ReadonlyMap<number, Setback>
}

/** What of a lane's progress stands in one record: of the ranges that begin and the events that lie in one stretch of offsets. */
export interface Chunk {
  readonly settled: readonly Range[]
  readonly waiting: ReadonlyMap<number, Setback>
}

/** Progress as it was read. */
export interface KnownProgress extends LaneProgress {
  readonly epoch: string
  /** By the number of their stretch, ascending. */
  readonly chunks: ReadonlyMap<number, Chunk>
}

/** Stretches are so short that all events of one can wait, each with a long trail, in a record of 1 MiB. */
const stretch = 128

export function chunksOf({ settled, waiting }: Pick<LaneProgress, keyof Chunk>): ReadonlyMap<number, Chunk> {
  const chunks = new Map<number, { readonly settled: Range[]; readonly waiting: Map<number, Setback> }>()
  const chunkAt = (offset: number): { readonly settled: Range[]; readonly waiting: Map<number, Setback> } => {
    const number = Math.floor(offset / stretch)
    const chunk = chunks.get(number) ?? { settled: [], waiting: new Map<number, Setback>() }
    chunks.set(number, chunk)
    return chunk
  }
  for (const range of settled) chunkAt(range[0]).settled.push(range)
  for (const [offset, setback] of waiting) chunkAt(offset).waiting.set(offset, setback)
  return new Map([...chunks].toSorted(([a], [b]) => a - b))
}

/** What of the ranges lies at or above the watermark: ascending, and none touching another. */
export function joined(ranges: readonly Range[], watermark: number): readonly Range[] {
  const result: [number, number][] = []
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    if (to <= watermark) continue
    const last = result.at(-1)
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to)
    else result.push([Math.max(from, watermark), to])
  }
  return result
}

export function chunkKey(lane: string, number: number): string {
  return `${lane} ${number}`
}

interface StoredHead {
  readonly epoch: string
  readonly topicId: string
  readonly watermark: number
}

interface StoredChunk {
  readonly epoch: string
  readonly settled: readonly Range[]
  readonly waiting: readonly (Setback & { readonly offset: number })[]
}

export interface StoredProgress {
  /** The latest of every lane that has any. */
  readonly lanes: ReadonlyMap<string, KnownProgress>
  /** Keys of chunks that belong to no head. */
  readonly strays: readonly string[]
}

/** What the records of a progress topic say. What is damaged says nothing. */
export function progressIn(records: ReadonlyMap<string, string>): StoredProgress {
  const own = [...records].filter(([key]) => !isRates(key))
  const heads = new Map<string, StoredHead>()
  for (const [key, text] of own) {
    const head = fieldsIn(text)
    if (!key.includes(' ') && isHead(head)) heads.set(key, head)
  }
  const chunks = new Map([...heads.keys()].map((lane) => [lane, new Map<number, Chunk>()]))
  const strays: string[] = []
  for (const [key, text] of own) {
    const [lane = '', number] = key.split(' ')
    if (number === undefined) continue
    const chunk = fieldsIn(text)
    if (isChunk(chunk) && chunk.epoch === heads.get(lane)?.epoch)
      chunks.get(lane)?.set(Number(number), decode(chunk))
    else strays.push(key)
  }
  const lanes = [...heads].map(([lane, head]) => [lane, assembled(head, chunks.get(lane) ?? [])] as const)
  return { lanes: new Map(lanes), strays }
}

function assembled(
  { epoch, topicId, watermark }: StoredHead,
  read: Iterable<readonly [number, Chunk]>,
): KnownProgress {
  const chunks = new Map([...read].toSorted(([a], [b]) => a - b))
  const all = [...chunks.values()]
  return {
    epoch,
    topicId,
    watermark,
    chunks,
    settled: joined(
      all.flatMap(({ settled }) => settled),
      watermark,
    ),
    waiting: new Map(all.flatMap(({ waiting }) => [...waiting])),
  }
}

function decode({ settled, waiting }: StoredChunk): Chunk {
  return {
    settled,
    waiting: new Map(
      waiting.map(({ offset, attempt, due, parks, trail }) => [offset, { attempt, due, parks, trail }]),
    ),
  }
}

function isHead(value: unknown): value is StoredHead {
  if (!isFields(value)) return false
  const { epoch, topicId, watermark } = value
  return typeof epoch === 'string' && typeof topicId === 'string' && isOffset(watermark)
}

function isChunk(value: unknown): value is StoredChunk {
  if (!isFields(value)) return false
  const { epoch, settled, waiting } = value
  if (typeof epoch !== 'string' || !Array.isArray(settled) || !Array.isArray(waiting)) return false
  return settled.every(isRange) && waiting.every(isSetback)
}

function isRange(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(isOffset)
}

function isSetback(value: unknown): boolean {
  if (!isFields(value)) return false
  const { offset, attempt, due, parks, trail } = value
  if (!isOffset(offset) || !isOffset(attempt) || !Number.isFinite(due)) return false
  return typeof parks === 'boolean' && (trail === undefined || isTrail(trail))
}
