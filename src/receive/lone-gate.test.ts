import { describe, expect, test } from 'vitest'
import { held } from '../../test/held.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { LoneClaims } from './lone-claims.ts'
import { LoneGate } from './lone-gate.ts'

/** A gate with subscriptions `a` and `b`, and what they are told. */
function gated() {
  const clock = manualClock()
  const gate = new LoneGate(clock)
  const log: string[] = []
  const claims = (name: string): LoneClaims => {
    const made = new LoneClaims(gate, {
      wake: () => log.push(`${name} wakes`),
      pump: () => log.push(`${name} pumps`),
    })
    made.join()
    return made
  }
  return { clock, gate, log, a: claims('a'), b: claims('b') }
}

test('without lapsed events the gate is open', () => expect(gated().gate.open).toBe(true))

test('a lapsed event is claimed when nothing runs, and everything else waits for its end', () => {
  const { gate, log, a } = gated()
  a.seen()
  expect([gate.open, log]).toEqual([false, ['a wakes']])
  expect([a.take(), a.take()]).toEqual([1, 0])
  const event = held('1')
  a.started(event)
  a.answered()
  expect(gate.open).toBe(false)
  a.over(event)
  expect(gate.open).toBe(true)
  expect(log.slice(1).toSorted()).toEqual(['a pumps', 'b pumps'])
})

test('a claim that brings nothing lets the others go on', () => {
  const { gate, a } = gated()
  a.seen()
  a.take()
  a.answered()
  expect(gate.open).toBe(true)
})

test('one at a time: the second waits for the first, and the others have their turn in between', () => {
  const { gate, log, a, b } = gated()
  a.seen()
  a.take()
  b.seen()
  a.seen()
  expect(log).toEqual(['a wakes'])
  a.answered()
  expect(log).toEqual(['a wakes', 'a pumps', 'b pumps', 'b wakes'])
  expect([a.take(), b.take()]).toEqual([0, 1])
  b.answered()
  expect(log.slice(-1)).toEqual(['a wakes'])
  expect(gate.open).toBe(false)
})

describe('while handlers run', () => {
  test('it waits for the last of them, and nothing new starts', () => {
    const { gate, log, a } = gated()
    gate.enter()
    gate.enter()
    a.seen()
    expect([gate.open, log]).toEqual([false, []])
    gate.exit()
    expect(log).toEqual([])
    gate.exit()
    expect(log).toEqual(['a wakes'])
  })

  test('it waits three seconds and no longer', () => {
    const { gate, log, a, clock } = gated()
    gate.enter()
    a.seen()
    clock.advance(2_999)
    expect(log).toEqual([])
    clock.advance(1)
    expect(log).toEqual(['a wakes'])
    // The lone event itself ends: that is no second start.
    gate.enter()
    gate.exit()
    gate.exit()
    expect(log).toEqual(['a wakes'])
  })
})

test('an exchange that broke is asked again', () => {
  const { log, a } = gated()
  a.seen()
  a.take()
  a.failed()
  expect([log, a.take()]).toEqual([['a wakes', 'a wakes'], 1])
})

describe('a subscription that goes', () => {
  test('lets the others in', () => {
    const { gate, log, a, b } = gated()
    a.seen()
    b.seen()
    a.part()
    expect(log).toEqual(['a wakes', 'b pumps', 'b wakes'])
    b.part()
    expect(gate.open).toBe(true)
  })

  test('while it waits for its turn is forgotten', () => {
    const { gate, log, a, b } = gated()
    a.seen()
    b.seen()
    b.part()
    a.take()
    a.answered()
    expect([gate.open, log]).toEqual([true, ['a wakes', 'a pumps']])
  })

  test('after its claim went out does not disturb who follows', () => {
    const { gate, a, b } = gated()
    a.seen()
    a.take()
    b.seen()
    a.part()
    a.answered()
    expect([gate.open, b.take()]).toEqual([false, 1])
  })
})

describe('a pause', () => {
  test('postpones until resume, also of what had been asked for', () => {
    const { gate, log, a } = gated()
    gate.enter()
    a.seen()
    a.pause()
    gate.exit()
    expect([gate.open, a.take(), log.includes('a wakes')]).toEqual([true, 0, false])
    a.seen()
    expect(gate.open).toBe(true)
    a.resume()
    expect([gate.open, log.at(-1), a.take()]).toEqual([false, 'a wakes', 1])
  })

  test('takes back what was wanted and not yet asked for', () => {
    const { gate, a } = gated()
    a.seen()
    a.pause()
    expect([gate.open, a.take()]).toEqual([true, 0])
    a.resume()
    expect(a.take()).toBe(1)
  })
})
