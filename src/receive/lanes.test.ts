import { describe, expect, test } from 'vitest'
import { canCollect, collect, grownOld } from '../../test/garbage.ts'
import { held } from '../../test/held.ts'
import type { Held } from './held.ts'
import { Lanes } from './lanes.ts'

const ids = (list: readonly Held[]): string[] => list.map(({ received }) => received.id)

/** Everything that may start now, started. */
function startable(lanes: Lanes): string[] {
  const started: Held[] = []
  for (let next = lanes.shift(); next !== undefined; next = lanes.shift()) started.push(next)
  return ids(started)
}

function filled(...events: readonly Held[]): Lanes {
  const lanes = new Lanes(true)
  for (const event of events) lanes.add(event)
  return lanes
}

test('without order everything may start, as it came', () => {
  const lanes = new Lanes(false)
  for (const id of ['1', '2', '3']) lanes.add(held(id, 'k'))
  expect(startable(lanes)).toEqual(['1', '2', '3'])
})

describe('by key', () => {
  test('one of each key at a time, as they came; events without a key never wait', () => {
    const [a1, a2, b1, free1, free2, a3] = [
      held('a1', 'a'),
      held('a2', 'a'),
      held('b1', 'b'),
      held('free1'),
      held('free2'),
      held('a3', 'a'),
    ]
    const lanes = filled(a1, a2, b1, free1, free2, a3)
    expect(startable(lanes)).toEqual(['a1', 'b1', 'free1', 'free2'])
    lanes.leave(free1)
    lanes.leave(b1)
    expect(startable(lanes)).toEqual([])
    lanes.leave(a1)
    expect(startable(lanes)).toEqual(['a2'])
    lanes.leave(a2)
    expect(startable(lanes)).toEqual(['a3'])
    lanes.leave(a3)
    lanes.add(held('a4', 'a'))
    expect(startable(lanes)).toEqual(['a4'])
  })

  test('peek leaves the event where it is', () => {
    const lanes = filled(held('1', 'a'))
    expect(lanes.peek()).toBe(lanes.peek())
    expect(startable(lanes)).toEqual(['1'])
    expect(lanes.peek()).toBeUndefined()
  })

  test('an event that is parked gives up those behind it, and keeps its key until the system has it', () => {
    const [a1, a2, a3] = [held('a1', 'a'), held('a2', 'a'), held('a3', 'a')]
    const lanes = filled(a1, a2)
    startable(lanes)
    expect(ids(lanes.park(a1))).toEqual(['a2'])
    expect(lanes.add(a3)).toBe(false)
    expect(startable(lanes)).toEqual([])
    lanes.unpark(a1)
    expect(lanes.add(a3)).toBe(true)
    expect(startable(lanes)).toEqual(['a3'])
  })

  test('behind an event, at the head or in the middle of its lane, stands what came later in its key', () => {
    const [a1, a2, a3, a4] = [held('a1', 'a'), held('a2', 'a'), held('a3', 'a'), held('a4', 'a')]
    const lanes = filled(a1, a2, a3)
    expect(startable(lanes)).toEqual(['a1'])
    expect(ids(lanes.behind(a2))).toEqual(['a3'])
    expect(ids(lanes.behind(a1))).toEqual(['a2'])
    expect(ids(lanes.behind(held('lone', 'a')))).toEqual([])
    lanes.add(a4)
    lanes.leave(a1)
    expect(startable(lanes)).toEqual(['a4'])
  })

  test('an event that ran past the lanes changes nothing in the lane of its key', () => {
    const [a1, a2, lone] = [held('a1', 'a'), held('a2', 'a'), held('lone', 'a')]
    const lanes = filled(a1, a2)
    expect(startable(lanes)).toEqual(['a1'])
    lanes.leave(lone)
    expect(ids(lanes.park(lone))).toEqual([])
    lanes.unpark(lone)
    expect(startable(lanes)).toEqual([])
    lanes.leave(a1)
    expect(startable(lanes)).toEqual(['a2'])
  })

  test('draining takes what has not started; the key of a running event stays taken', () => {
    const [a1, a2, b1, b2] = [held('a1', 'a'), held('a2', 'a'), held('b1', 'b'), held('b2', 'b')]
    const lanes = filled(a1, a2)
    startable(lanes)
    lanes.add(b1)
    lanes.add(b2)
    expect(ids(lanes.drain()).toSorted()).toEqual(['a2', 'b1', 'b2'])
    const [a3, b3] = [held('a3', 'a'), held('b3', 'b')]
    lanes.add(a3)
    lanes.add(b3)
    expect(startable(lanes)).toEqual(['b3'])
    lanes.leave(a1)
    expect(startable(lanes)).toEqual(['a3'])
  })

  test('keeps its order over many events', () => {
    const lanes = new Lanes(true)
    const out: string[] = []
    for (let i = 0; i < 5_000; i++) {
      lanes.add(held(String(i)))
      if (i % 3 !== 0) out.push(lanes.shift()?.received.id ?? 'none')
    }
    expect([...out, ...startable(lanes)]).toEqual(Array.from({ length: 5_000 }, (_, i) => String(i)))
  })
})

test.runIf(canCollect)('an event that is done with does not grow old with those before it', async () => {
  const lanes = new Lanes(true)
  const under: Held[] = []
  const text = 'x'.repeat(1_000)
  let n = 0
  const run = (count: number): void => {
    for (const end = n + count; n < end; n++) {
      const next = held(String(n), `key ${n}`, { data: JSON.stringify({ n, text }) })
      lanes.add(next)
      lanes.shift()
      if (under.push(next) > 100) lanes.leave(under.shift()!)
    }
  }
  run(1_000)
  collect('major')
  const grown = await grownOld((look) => {
    for (let looks = 0; looks < 20; looks++) {
      run(1_000)
      look()
    }
  })
  expect(grown).toBeLessThan(12_000_000)
})
