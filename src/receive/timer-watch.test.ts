import { afterEach, describe, expect, test } from 'vitest'
import { manualClock } from '../clock/manual-clock.ts'
import type { Notice } from '../contract/transport.ts'
import { TimerWatch } from './timer-watch.ts'

const left: NodeJS.Timeout[] = []
const leave = (timers: number): void => {
  for (let i = 0; i < timers; i++) left.push(setTimeout(() => undefined, 3_600_000))
}
const clear = (timers = left.length): void => left.splice(0, timers).forEach(clearTimeout)
afterEach(() => clear())

function watching() {
  const clock = manualClock()
  const notices: Notice[] = []
  const handlers = { running: 0 }
  const watch = new TimerWatch({
    clock,
    running: () => handlers.running,
    notice: (notice) => notices.push(notice),
  })
  /** Events that leave timers behind, in every ten seconds of some minutes. */
  const minutes = (count: number, events: number, timers: number): void => {
    for (let looks = 0; looks < count * 6; looks++) {
      for (let n = 0; n < events; n++) watch.ran()
      leave(timers)
      clock.advance(10_000)
    }
  }
  return { clock, handlers, watch, minutes, notices }
}

/** Bun tells nothing of timers. */
const counts = (): boolean => {
  leave(1)
  const seen = process.getActiveResourcesInfo().includes('Timeout')
  clear()
  return seen
}

describe.runIf(counts())('timers that handlers leave behind', () => {
  test('are told of once, with how many there are and how many events there were', () => {
    const { minutes, notices } = watching()
    minutes(3, 100, 50)
    expect(notices).toEqual([
      {
        code: 'TIMERS_LEAKED',
        message:
          'Handlers leave timers behind: 600 more than 2 min ago, and handlers ran 1200 times; clear them in `finally`',
      },
    ])
  })

  test('are told of again when there are twice as many', () => {
    const { minutes, notices } = watching()
    minutes(4, 100, 50)
    expect(notices).toHaveLength(1)
    minutes(1, 100, 50)
    expect(notices).toHaveLength(2)
  })

  test('are told of again when they had gone', () => {
    const { minutes, notices } = watching()
    minutes(3, 100, 50)
    clear()
    minutes(1, 100, 0)
    minutes(3, 100, 50)
    expect(notices).toHaveLength(2)
  })

  test('are told of if events come now and then', () => {
    const { clock, minutes, notices } = watching()
    for (let hour = 0; hour < 6; hour++) {
      minutes(0.5, 20, 20)
      clock.advance(3_600_000)
    }
    expect(notices).toHaveLength(1)
  })
})

describe('nothing is said', () => {
  test('of timers that end, however many there are at a time', () => {
    const { minutes, notices } = watching()
    for (let window = 1; window < 20; window++) {
      minutes(1 / 6, 100, 100 * window)
      clear()
      minutes(1 / 6, 100, 0)
      minutes(1 / 6, 100, 100 * window)
    }
    expect(notices).toEqual([])
  })

  test('of timers that become more only until the first of them end', () => {
    const { minutes, notices } = watching()
    minutes(1, 100, 100)
    for (let look = 0; look < 60; look++) {
      minutes(1 / 6, 100, 100)
      clear(100)
    }
    expect(notices).toEqual([])
  })

  test('of few timers', () => {
    const { minutes, notices } = watching()
    minutes(5, 5, 5)
    expect(notices).toEqual([])
  })

  test('of few timers beside many events', () => {
    const { minutes, notices } = watching()
    minutes(20, 1_000, 20)
    expect(notices).toEqual([])
  })

  test('of the timers of handlers that run, each with a few', () => {
    const { handlers, watch, minutes, notices } = watching()
    for (let look = 0; look < 60; look++) {
      handlers.running += 20
      minutes(1 / 6, 20, 60)
    }
    expect(notices).toEqual([])
    watch.stop()
  })

  test('of timers that become more while no handler runs', () => {
    const { clock, watch, notices } = watching()
    watch.ran()
    for (let look = 0; look < 60; look++) {
      leave(100)
      clock.advance(10_000)
    }
    expect([clock.nextIn, notices]).toEqual([undefined, []])
  })
})

test('nothing is looked at any more after the stop', () => {
  const { clock, watch } = watching()
  watch.ran()
  expect(clock.nextIn).toBe(10_000)
  watch.stop()
  expect(clock.nextIn).toBeUndefined()
})
