import { describe, expect, test } from 'vitest'
import { held } from '../../test/held.ts'
import { manualClock } from '../clock/manual-clock.ts'
import type { EventSender } from '../contract/publishing.ts'
import type { Received } from '../contract/transport.ts'
import { Batcher, type BatchHandler } from './batcher.ts'
import type { Context } from './chain.ts'
import { HandlerContext } from './context.ts'
import type { Held } from './held.ts'
import { Slots } from './slots.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const publisher = { publish: async () => undefined } as unknown as EventSender

/** A batcher whose members write down how they ended, as a subscription would see it. */
function batching(handler: BatchHandler, { size = 3, slots = new Slots(1) } = {}) {
  const clock = manualClock()
  const batcher = new Batcher(handler, { size, wait: 20 }, slots, clock)
  const ends: string[] = []
  const join = (id: string, more?: Partial<Received>): Held => {
    const member = held(id, undefined, more)
    member.state = 'running'
    const over = (how: string): void => {
      ends.push(`${id} ${how}`)
      member.leave?.()
    }
    Promise.resolve(batcher.join(member.event, new HandlerContext(member, publisher))).then(
      () => over('handled'),
      (error: unknown) => over((error as Error).message),
    )
    return member
  }
  return { clock, batcher, slots, ends, join }
}

/** Writes down the ids of each batch. */
function noting(batches: string[][]): BatchHandler {
  return (events) => void batches.push(events.map(({ id }) => id))
}

describe('a batch starts', () => {
  test('when it is full', async () => {
    const batches: string[][] = []
    const { join, ends, clock } = batching(noting(batches))
    for (const id of ['1', '2', '3', '4']) join(id)
    await turn()
    expect(batches).toEqual([['1', '2', '3']])
    expect(ends).toEqual(['1 handled', '2 handled', '3 handled'])
    clock.advance(20)
    await turn()
    expect(batches).toEqual([['1', '2', '3'], ['4']])
  })

  test('when its first event has waited long enough', async () => {
    const batches: string[][] = []
    const { join, clock } = batching(noting(batches))
    join('1')
    clock.advance(19)
    join('2')
    await turn()
    expect(batches).toEqual([])
    clock.advance(1)
    await turn()
    expect(batches).toEqual([['1', '2']])
    expect(clock.nextIn).toBeUndefined()
  })

  test('when it is told that nothing more will come', async () => {
    const batches: string[][] = []
    const { join, batcher, clock } = batching(noting(batches))
    join('1')
    batcher.flush()
    batcher.flush()
    await turn()
    expect(batches).toEqual([['1']])
    expect(clock.nextIn).toBeUndefined()
  })

  test('when there is a slot', async () => {
    const ends: (() => void)[] = []
    const { join, clock, slots } = batching(() => new Promise<void>((resolve) => ends.push(resolve)), {
      size: 1,
    })
    const [, second] = [join('1'), join('2')]
    await turn()
    expect(ends).toHaveLength(1)
    // The time until then is not the handler's.
    expect([second.gathered, second.deadline]).toEqual([true, Number.POSITIVE_INFINITY])
    expect(slots.tryTake()).toBe(false)
    ends[0]?.()
    await turn()
    expect([ends.length, second.gathered]).toEqual([2, false])
    ends[1]?.()
    await turn()
    expect(slots.tryTake()).toBe(true)
    expect(clock.nextIn).toBeUndefined()
  })
})

test('an event that failed before comes alone, at once', async () => {
  const batches: string[][] = []
  const { join } = batching(noting(batches), { slots: new Slots(2) })
  join('1')
  join('again', { attempt: 2 })
  await turn()
  expect(batches).toEqual([['again']])
})

test('an event that runs alone in the process waits for no slot', async () => {
  const batches: string[][] = []
  const { join, slots } = batching(noting(batches))
  slots.tryTake()
  join('lone', { lapsed: true })
  await turn()
  expect(batches).toEqual([['lone']])
})

describe('outcomes', () => {
  const list = [
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: new Error('bad') },
    { status: 'fulfilled', value: 2 },
  ]
  test.each<[string, BatchHandler, string[]]>([
    ['nothing: all well', () => undefined, ['handled', 'handled', 'handled']],
    ['anything else: all well', () => [1, 2], ['handled', 'handled', 'handled']],
    ['one for each', async () => list, ['handled', 'bad', 'handled']],
    [
      'throws',
      () => {
        throw new Error('all')
      },
      ['all', 'all', 'all'],
    ],
    ['rejects', () => Promise.reject(new Error('all')), ['all', 'all', 'all']],
    [
      'too few',
      () => list.slice(0, 2),
      Array.from({ length: 3 }, () => 'The batch handler returned 2 outcomes for 3 events'),
    ],
  ])('%s', async (_name, handler, expected) => {
    const { join, ends, slots } = batching(handler)
    for (const id of ['1', '2', '3']) join(id)
    await turn()
    expect(ends.toSorted()).toEqual(expected.map((end, i) => `${i + 1} ${end}`))
    expect(slots.tryTake()).toBe(true)
  })
})

test('the slot of a handler that never ends comes back when all its runs are over', async () => {
  const { join, slots } = batching(() => new Promise(() => undefined), { size: 2 })
  const members = [join('1'), join('2')]
  await turn()
  members[0]?.leave?.() // by maxHandling
  expect(slots.tryTake()).toBe(false)
  members[1]?.leave?.()
  expect(slots.tryTake()).toBe(true)
})

describe('a batch that waits for a slot', () => {
  test('starts without the events that were lost meanwhile', async () => {
    const batches: string[][] = []
    const { join, slots, ends } = batching(noting(batches), { size: 2 })
    slots.tryTake()
    join('1').lost = true
    join('2')
    slots.giveBack()
    await turn()
    expect(batches).toEqual([['2']])
    expect(ends.toSorted()).toEqual(['1 The lease of the event 1 is lost', '2 handled'])
    expect(slots.tryTake()).toBe(true)
  })

  test('does not start without events, and gives the slot back', async () => {
    const { join, slots } = batching(() => expect.unreachable(), { size: 1 })
    slots.tryTake()
    join('1').lost = true
    slots.giveBack()
    await turn()
    expect(slots.tryTake()).toBe(true)
  })

  test('is dropped at a stop, as are those that gather; slots come back', async () => {
    const { join, batcher, slots, ends } = batching(() => expect.unreachable(), { size: 2 })
    slots.tryTake()
    for (const id of ['1', '2', '3']) join(id)
    batcher.drop(new Error('stopping'))
    slots.giveBack()
    await turn()
    expect(ends).toEqual(['1 stopping', '2 stopping', '3 stopping'])
    expect(slots.tryTake()).toBe(true)
  })
})

test('the context is aborted with any of its events, and is at the highest attempt', async () => {
  let given!: Context
  const { join } = batching((_events, ctx) => void (given = ctx))
  const members = [join('1'), join('2'), join('3')]
  await turn()
  expect([given.attempt, given.queue, given.signal.aborted]).toEqual([1, 'q', false])
  members[2]?.abort(new Error('lost'))
  expect(given.signal.reason).toEqual(new Error('lost'))
})
