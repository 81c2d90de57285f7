import { afterEach, expect, test, vi } from 'vitest'
import { manualClock } from '../clock/manual-clock.ts'
import { Outage } from './outage.ts'

function suffering() {
  const clock = manualClock()
  const log: string[] = []
  const outage = new Outage(
    clock,
    ({ message }, level) => log.push(`${level} ${message}`),
    () => log.push(`again at ${clock.monotonic()}`),
  )
  return { clock, log, outage }
}

afterEach(() => void vi.restoreAllMocks())

test('waits longer each time, up to five seconds, and says once that it began and once that it is over', () => {
  vi.spyOn(Math, 'random').mockReturnValue(1)
  const { clock, log, outage } = suffering()
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    outage.begin(new Error('cut'))
    expect(outage.on).toBe(true)
    waits.push(clock.nextIn as number)
    clock.advance(clock.nextIn as number)
    expect(outage.on).toBe(false)
  }
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  outage.over()
  outage.over()
  expect(log.filter((line) => !line.startsWith('again'))).toEqual([
    'warn An exchange with the transport failed; trying again',
    'warn The transport answers again after 16.3 s',
  ])
  expect(log.filter((line) => line.startsWith('again'))).toHaveLength(8)
  outage.begin(new Error('cut'))
  expect(clock.nextIn).toBe(100)
})

test('the waits of many processes differ: between half and all', () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const { clock, outage } = suffering()
  outage.begin(new Error('cut'))
  expect(clock.nextIn).toBe(50)
})

test('cutting it short tries again at once; closing never', () => {
  const { clock, log, outage } = suffering()
  outage.cut()
  expect(log).toEqual([])
  outage.begin(new Error('cut'))
  outage.cut()
  expect([outage.on, log.at(-1), clock.nextIn]).toEqual([false, 'again at 0', undefined])
  outage.begin(new Error('cut'))
  outage.close()
  expect(clock.nextIn).toBeUndefined()
})
