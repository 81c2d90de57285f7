import { expect, test } from 'vitest'
import { LastMinute } from './last-minute.ts'

test('the means are over the time since the first count, and no longer than a minute', () => {
  const counts = new LastMinute()
  expect(counts.perSecond(0)).toEqual({ handledPerSecond: 0, failedPerSecond: 0 })
  counts.count(10_000, 8, 0)
  counts.count(11_999, 0, 2)
  expect(counts.perSecond(11_999)).toEqual({ handledPerSecond: 4, failedPerSecond: 1 })
  expect(counts.perSecond(69_999)).toEqual({ handledPerSecond: 8 / 60, failedPerSecond: 2 / 60 })
  expect(counts.perSecond(70_000)).toEqual({ handledPerSecond: 0, failedPerSecond: 2 / 60 })
})
