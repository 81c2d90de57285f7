import { expect, test } from 'vitest'
import { addFailure, type FailureTrail } from '../../../contract/dead-letter.ts'
import type { Setback } from '../consuming/kafka-event.ts'
import { ProgressRecords } from './progress-records.ts'
import { progressIn, type KnownProgress, type LaneProgress, type Range } from './progress.ts'

const lane = 'topic:0'
const large = 1_000_000

type Records = ReturnType<ProgressRecords['update']>['records']

const setback = (attempt: number, message = ''): Setback => {
  let trail = addFailure(undefined, 1, message)
  for (let at = 2; at < attempt; at++) trail = addFailure(trail, at, message)
  return { attempt, trail, due: 1_000, parks: true }
}

function progressOf(watermark: number, settled: readonly Range[], waiting: readonly number[]): LaneProgress {
  return {
    topicId: 'id',
    watermark,
    settled,
    waiting: new Map(waiting.map((offset) => [offset, setback(2)])),
  }
}

/** What the topic holds after these records. */
function topicAfter(records: Records, before: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const topic = new Map(before)
  for (const { key, value } of records) {
    if (value === undefined) topic.delete(key)
    else topic.set(key, value)
  }
  return topic
}

function read(topic: ReadonlyMap<string, string>): KnownProgress | undefined {
  return progressIn(topic).lanes.get(lane)
}

function has(ranges: readonly Range[], offset: number): boolean {
  return ranges.some(([from, to]) => from <= offset && offset < to)
}

test('what is read is what was written', () => {
  const progress = progressOf(
    5,
    [
      [6, 700],
      [800, 900],
    ],
    [5, 750, 751, 2_000],
  )
  const { records } = new ProgressRecords(lane, undefined).update(progress, large)
  expect(read(topicAfter(records))).toMatchObject(progress)
})

test('only what has changed is written again, by the next holder of the lane too', () => {
  const before = topicAfter(
    new ProgressRecords(lane, undefined).update(progressOf(0, [], [0, 500, 900]), large).records,
  )
  const known = read(before) as KnownProgress
  const records = new ProgressRecords(lane, known)
  const waiting = new Map([...known.waiting, [500, setback(3)]])
  const update = records.update({ ...known, waiting }, large)
  expect(update.records.map(({ key }) => key)).toEqual([lane, `${lane} 3`])
  update.written()
  expect(records.update({ ...known, waiting }, large).records.map(({ key }) => key)).toEqual([lane])
})

test('chunks with nothing left in them are removed', () => {
  const records = new ProgressRecords(lane, undefined)
  const first = records.update(progressOf(0, [[1, 500]], [0, 600]), large)
  first.written()
  const last = records.update(progressOf(601, [], []), large)
  expect([...topicAfter(last.records, topicAfter(first.records)).keys()]).toEqual([lane])
})

test('a write that ends anywhere takes nothing for settled that is not, and forgets nothing', () => {
  const records = new ProgressRecords(lane, undefined)
  const old = progressOf(
    10,
    [
      [11, 100],
      [130, 300],
      [400, 500],
    ],
    [10, 120, 350, 390, 700],
  )
  const first = records.update(old, large)
  first.written()
  // What waited in between is settled, and three ranges have become one.
  const next = progressOf(10, [[11, 600]], [10, 700])
  const { records: written } = records.update(next, large)
  expect(written.length).toBeGreaterThan(3)
  for (let count = 0; count <= written.length; count++) {
    const known = read(topicAfter(written.slice(0, count), topicAfter(first.records))) as KnownProgress
    for (let offset = 0; offset < 1_000; offset++) {
      if (has(old.settled, offset)) expect(has(known.settled, offset)).toBe(true)
      if (!has(next.settled, offset)) expect(has(known.settled, offset)).toBe(false)
      if (next.waiting.has(offset)) expect(known.waiting.get(offset)).toEqual(setback(2))
    }
  }
})

test('what a head that does not count has left is not mixed with what follows it', () => {
  const left = topicAfter(
    new ProgressRecords(lane, undefined).update(progressOf(1_000, [[1_001, 1_200]], []), large).records,
  )
  // The offsets were set back by hand.
  const topic = topicAfter(
    new ProgressRecords(lane, undefined).update(progressOf(50, [], [60]), large).records,
    left,
  )
  expect(read(topic)).toMatchObject({ watermark: 50, settled: [] })
  expect(progressIn(topic).strays).toEqual([`${lane} 7`])
})

test('as much of the trails is kept as fits into a record, the latest failures of each', () => {
  const maxBytes = 100_000
  const trailing = setback(12, 'é'.repeat(500))
  const waiting = new Map(Array.from({ length: 1_000 }, (_, offset) => [offset, trailing]))
  const { records } = new ProgressRecords(lane, undefined).update(
    { topicId: 'id', watermark: 0, settled: [], waiting },
    maxBytes,
  )
  for (const { value = '' } of records) expect(Buffer.byteLength(value)).toBeLessThan(maxBytes)
  const known = read(topicAfter(records)) as KnownProgress
  expect(known.waiting.size).toBe(1_000)
  for (const { attempt, trail } of known.waiting.values()) {
    expect([attempt, trail?.firstFailedAt]).toEqual([12, 1])
    const { history } = trail as FailureTrail
    expect(history).toEqual(trailing.trail?.history.slice(10 - history.length))
  }
  const alone = new ProgressRecords(lane, undefined).update(
    { topicId: 'id', watermark: 0, settled: [], waiting: new Map([[0, trailing]]) },
    maxBytes,
  )
  expect(read(topicAfter(alone.records))?.waiting.get(0)).toEqual(trailing)
})
