import type { KafkaRecord } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import type { Clock } from '../../../clock/clock.ts'
import { manualClock } from '../../../clock/manual-clock.ts'
import { KafkaEvent } from './kafka-event.ts'
import { Lane } from './lane.ts'
import { Tier } from './tier.ts'
import { WaitingEvents } from './waiting-events.ts'

const hour = 3_600_000
const record: KafkaRecord = {
  length: 10,
  attributes: 0,
  timestampDelta: 0n,
  offsetDelta: 0,
  key: Buffer.from('k'),
  value: Buffer.from('1'),
  headers: [],
}

function laneOf(topic: string): Lane {
  return new Lane({ topic, topicId: 'id', partition: 0 }, true, 0, undefined)
}

/** A clock whose date can be set. */
function settable() {
  const manual = manualClock()
  let ahead = 0
  const clock: Clock = {
    now: () => manual.now() + ahead,
    monotonic: manual.monotonic,
    after: manual.after,
  }
  return { clock, advance: manual.advance, set: (ms: number) => (ahead += ms) }
}

test('what waits in memory is due a minute after the clock was set forward, at the latest', () => {
  const { clock, advance, set } = settable()
  const due: KafkaEvent[] = []
  const waiting = new WaitingEvents(clock, (events) => due.push(...events))
  const event = new KafkaEvent(laneOf('a'), { offset: 0, timestamp: 0, record }, undefined)
  waiting.add(event, clock.now() + hour)
  advance(120_000)
  expect(due).toEqual([])
  set(hour)
  advance(60_000)
  expect(due).toEqual([event])
})

test('what waits in a topic for that moves on a minute after the clock was set forward, at the latest', () => {
  const { clock, advance, set } = settable()
  const lane = laneOf('queue.delay.3600')
  const moved: number[] = []
  const tier = new Tier(lane, hour, clock, ({ offset }) => moved.push(offset))
  const now = BigInt(clock.now())
  const batch = {
    firstOffset: 0n,
    length: 71,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    attributes: 0,
    lastOffsetDelta: 0,
    firstTimestamp: now,
    maxTimestamp: now,
    producerId: -1n,
    producerEpoch: -1,
    firstSequence: -1,
    records: [record],
  }
  lane.accept([batch], 0)
  tier.look()
  advance(120_000)
  expect(moved).toEqual([])
  set(hour)
  advance(60_000)
  expect(moved).toEqual([0])
})
