import { expect, test } from 'vitest'
import { held } from '../../test/held.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { Breaker } from './breaker.ts'
import type { Held } from './held.ts'

const down = new Error('the bank is down')

function breaking() {
  const clock = manualClock()
  const log: string[] = []
  const breaker = new Breaker(clock, {
    notice: ({ code, message }) => log.push(`${code}: ${message}`),
    changed: () => log.push(`room ${breaker.room}`),
  })
  let n = 0
  /** So many failures `every` ms apart, of `of` events in turn; for ever new ones if it is left out. */
  const fail = (times: number, { of = Infinity, every = 0 } = {}): void => {
    for (let i = 0; i < times; i++) {
      clock.advance(every)
      breaker.failed(held(String(n++ % of)), down)
    }
  }
  /** Takes the one event to try. */
  const probe = (): Held => {
    const event = held('probe')
    expect([breaker.room, breaker.admits(event), breaker.room]).toEqual([1, true, 0])
    return event
  }
  return { clock, log, breaker, fail, probe }
}

const isOpen = (breaker: Breaker): boolean => breaker.room !== Infinity

test('opens at the 20th failure in a row, says so, and leaves no room', () => {
  const { breaker, fail, log } = breaking()
  fail(19)
  expect([isOpen(breaker), log]).toEqual([false, []])
  fail(1)
  expect(isOpen(breaker)).toBe(true)
  expect(breaker.admits(held('x'))).toBe(false)
  expect(log).toEqual([expect.stringMatching(/^BREAKER_OPEN: .*20 times in a row.* 5\.0 s/), 'room 0'])
})

test('a success begins the count anew', () => {
  const { breaker, fail } = breaking()
  fail(19)
  breaker.succeeded()
  fail(19)
  expect(isOpen(breaker)).toBe(false)
  fail(1)
  expect(isOpen(breaker)).toBe(true)
})

test.each([
  { of: 9, opens: false },
  { of: 10, opens: true },
])('failures of $of events: opens $opens', ({ of, opens }) => {
  const { breaker, fail } = breaking()
  fail(200, { of })
  expect(isOpen(breaker)).toBe(opens)
})

test.each([
  { every: 1_600, opens: false },
  { every: 1_500, opens: true },
])('a failure each $every ms: opens $opens, for 20 of them must be within 30 s', ({ every, opens }) => {
  const { breaker, fail } = breaking()
  fail(100, { every })
  expect(isOpen(breaker)).toBe(opens)
})

test('ten events within the 30 s, not ten in the course of time', () => {
  const { breaker, fail, clock } = breaking()
  fail(9)
  clock.advance(30_001)
  fail(40, { of: 5 })
  expect(isOpen(breaker)).toBe(false)
})

test('one event is tried after 5 s, and then after twice as long, up to a minute', () => {
  const { breaker, fail, probe, clock } = breaking()
  fail(20)
  for (const seconds of [5, 10, 20, 40, 60, 60]) {
    expect(breaker.resting).toBe(true)
    clock.advance(seconds * 1_000 - 1)
    expect(breaker.room).toBe(0)
    clock.advance(1)
    expect(breaker.resting).toBe(false)
    breaker.failed(probe(), down)
  }
})

test('the first success closes it, and the next time it begins with 5 s again', () => {
  const { breaker, fail, probe, clock, log } = breaking()
  fail(20)
  clock.advance(5_000)
  breaker.failed(probe(), down)
  clock.advance(10_000)
  probe()
  log.length = 0
  breaker.succeeded()
  expect(log).toEqual([expect.stringMatching(/^BREAKER_CLOSED: .*was handled/), 'room Infinity'])
  fail(19)
  expect(isOpen(breaker)).toBe(false)
  fail(1)
  clock.advance(5_000)
  expect(breaker.room).toBe(1)
})

test('handlers that were under way when it opened do not make it wait longer', () => {
  const { breaker, fail, clock } = breaking()
  fail(40)
  clock.advance(5_000)
  fail(1)
  expect(breaker.room).toBe(1)
})

test('an event to try that neither succeeds nor fails is followed by another one, after the same time', () => {
  const { breaker, fail, probe, clock } = breaking()
  fail(20)
  clock.advance(5_000)
  breaker.over(held('another'))
  breaker.over(probe())
  clock.advance(4_999)
  expect(breaker.room).toBe(0)
  clock.advance(1)
  expect(breaker.room).toBe(1)
})

test('somebody closes it; if it is closed, that is not worth a word', () => {
  const { breaker, fail, clock, log } = breaking()
  breaker.close('a redrive')
  expect(log).toEqual([])
  fail(20)
  log.length = 0
  breaker.close('a redrive')
  expect([isOpen(breaker), log]).toEqual([
    false,
    ['BREAKER_CLOSED: All events are taken again: a redrive', 'room Infinity'],
  ])
  clock.advance(60_000)
  expect(isOpen(breaker)).toBe(false)
})

test('after a stop it is silent', () => {
  const { breaker, fail, clock, log } = breaking()
  fail(20)
  log.length = 0
  breaker.stop()
  clock.advance(60_000)
  expect(log).toEqual([])
})
