import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { aheadOf, pause, systemClock } from './clock.ts'
import { manualClock } from './manual-clock.ts'
import { ReplaceableClock } from './replaceable-clock.ts'

describe('the system clock', () => {
  test("monotonic time is the machine's: another process reads the same", () => {
    const machine = Number(process.hrtime.bigint()) / 1e6
    expect(Math.abs(systemClock.monotonic() - machine)).toBeLessThan(50)
  })

  test('is not put off by what comes between the looks at two clocks', () => {
    let now = 0
    let looks = 0
    const own = (): number => {
      // Another process has its turn, all the times but one.
      if (++looks !== 7) now += 10
      return now
    }
    expect(aheadOf(() => 5_000 + ++now, own)).toBe(5_000)
  })

  describe('with timers moved by hand', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
    afterEach(() => void vi.useRealTimers())

    test('waits longer than setTimeout can', () => {
      const run = vi.fn<() => void>()
      systemClock.after(2 ** 31 + 5_000, run)
      vi.advanceTimersByTime(2 ** 31)
      expect(run).not.toHaveBeenCalled()
      vi.advanceTimersByTime(5_001)
      expect(run).toHaveBeenCalledTimes(1)
    })

    test('a timer can be taken back, also in its second stretch', () => {
      const run = vi.fn<() => void>()
      const timer = systemClock.after(2 ** 31 + 5_000, run)
      vi.advanceTimersByTime(2 ** 31)
      timer.cancel()
      vi.advanceTimersByTime(10_000)
      expect(run).not.toHaveBeenCalled()
    })
  })
})

describe('a manual clock', () => {
  test('runs what is due in its order, at its time, and what that adds', () => {
    const clock = manualClock(1_000)
    const ran: string[] = []
    clock.after(20, () => ran.push(`second ${clock.monotonic()}`))
    clock.after(10, () => {
      ran.push(`first ${clock.now()}`)
      clock.after(5, () => ran.push(`added ${clock.monotonic()}`))
    })
    clock.after(30, () => ran.push('too late'))
    expect(clock.nextIn).toBe(10)
    clock.advance(29)
    expect(ran).toEqual(['first 1010', 'added 15', 'second 20'])
    expect([clock.now(), clock.monotonic(), clock.nextIn]).toEqual([1_029, 29, 1])
  })

  test('forgets what was cancelled', () => {
    const clock = manualClock()
    clock.after(1, () => expect.unreachable()).cancel()
    clock.advance(10)
    expect(clock.nextIn).toBeUndefined()
  })
})

test('a replaceable clock shows the clock it was given last', () => {
  const first = manualClock(1)
  const clock = new ReplaceableClock(first)
  const second = manualClock(5_000)
  clock.replace(second)
  second.advance(7)
  expect([clock.now(), clock.monotonic()]).toEqual([5_007, 7])
  let ran = false
  clock.after(1, () => (ran = true))
  first.advance(10)
  expect(ran).toBe(false)
  second.advance(1)
  expect(ran).toBe(true)
})

describe('pause', () => {
  test('ends with its time', async () => {
    const clock = manualClock()
    let over = false
    const paused = pause(clock, 10).then(() => (over = true))
    clock.advance(9)
    await Promise.resolve()
    expect(over).toBe(false)
    clock.advance(1)
    await paused
    expect(over).toBe(true)
  })

  test('ends with its signal, and leaves no timer', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const paused = pause(clock, 10, stop.signal)
    stop.abort()
    await paused
    expect(clock.nextIn).toBeUndefined()
    await pause(clock, 10, stop.signal)
    expect(clock.nextIn).toBeUndefined()
  })
})
