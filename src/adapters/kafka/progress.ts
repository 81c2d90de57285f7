import type { FailureTrail } from '../../contract/dead-letter.ts'
import { CompactedTopic } from './compacted-topic.ts'
import type { Setback } from './kafka-event.ts'
import type { Reader } from './reader.ts'
import { fieldsIn, isFields, isOffset, isTrail } from './stored-json.ts'

/** How far a queue has come in one lane, beyond what a committed offset can say. */
export interface LaneProgress {
  /** Which of the topics that ever had this name it is about. */
  readonly topicId: string
  readonly watermark: number
  /** Ranges of settled offsets above the watermark, ascending: from the first, up to but without the second. */
  readonly settled: readonly (readonly [from: number, to: number])[]
  /** What waits in memory with failures or a time of its own, by offset. */
  readonly waiting: ReadonlyMap<number, Setback>
}

interface StoredProgress {
  readonly topicId: string
  readonly watermark: number
  readonly settled?: readonly (readonly [number, number])[]
  readonly waiting?: readonly StoredSetback[]
}

interface StoredSetback {
  readonly offset: number
  readonly attempt: number
  readonly due: number
  readonly parks: boolean
  readonly trail?: FailureTrail
}

export function encodeProgress({ topicId, watermark, settled, waiting }: LaneProgress): string {
  const stored: StoredProgress = {
    topicId,
    watermark,
    ...(settled.length > 0 && { settled }),
    ...(waiting.size > 0 && {
      waiting: [...waiting].map(([offset, { attempt, due, parks, trail }]) => ({
        offset,
        attempt,
        due,
        parks,
        ...(trail !== undefined && { trail }),
      })),
    }),
  }
  return JSON.stringify(stored)
}

/** Undefined: it is none, and the lane has no progress but its committed offset. */
export function decodeProgress(text: string): LaneProgress | undefined {
  const stored = fieldsIn(text)
  if (!isProgress(stored)) return undefined
  const { topicId, watermark, settled = [], waiting = [] } = stored
  return {
    topicId,
    watermark,
    settled,
    waiting: new Map(
      waiting.map(({ offset, attempt, due, parks, trail }) => [offset, { attempt, due, parks, trail }]),
    ),
  }
}

function isProgress(value: unknown): value is StoredProgress {
  if (!isFields(value)) return false
  const { topicId, watermark, settled = [], waiting = [] } = value
  if (
    typeof topicId !== 'string' ||
    !isOffset(watermark) ||
    !Array.isArray(settled) ||
    !Array.isArray(waiting)
  )
    return false
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

/** A record of the progress topic that is no lane's: how busy one process is. */
export const ratesPrefix = 'rates '

/** The latest progress of every lane that has any. */
export async function readProgress(
  reader: Reader,
  topic: string,
): Promise<ReadonlyMap<string, LaneProgress>> {
  const stored = new CompactedTopic(reader, topic, (value) => value.toString())
  await stored.refresh()
  const lanes = [...stored.entries].filter(([key]) => !key.startsWith(ratesPrefix))
  return new Map(
    lanes.flatMap(([lane, text]) => {
      const progress = decodeProgress(text)
      return progress === undefined ? [] : [[lane, progress] as const]
    }),
  )
}
