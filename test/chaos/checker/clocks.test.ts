import { expect, test } from 'vitest'
import { Story } from './story.ts'

/** An event for the fifth second. */
const dated = (): Story => new Story().publish(0, 0.1, [{ id: 'a', type: 't.a', deliverAt: 5_000 }])

test('a date comes earlier for a process whose clock was set forward', () => {
  expect(dated().run('p', 'a', 3, 4).broken).toEqual(['delays a'])
  expect(dated().step('p', 1, 2).run('p', 'a', 3, 4).broken).toEqual([])
  expect(dated().step('p', 1, 1.9).run('p', 'a', 3, 4).broken).toEqual(['delays a'])
})

test('and for all others, for whoever sees first that an event is due tells them', () => {
  expect(dated().step('q', 1, 2.1).run('p', 'a', 3, 4).broken).toEqual([])
  expect(dated().step('q', 1, 1.9).run('p', 'a', 3, 4).broken).toEqual(['delays a'])
  expect(dated().step('q', 3.5, 9).run('p', 'a', 3, 4).broken).toEqual(['delays a'])
  expect(dated().step('q', 1, 2.1).kill('q', 2).run('p', 'a', 3, 4).broken).toEqual(['delays a'])
  expect(dated().step('q', 1, 9).step('q', 1.1, -9).run('p', 'a', 3, 4).broken).toEqual([])
})

test('where a server decides, nobody sets its clock, and that of the publisher says nothing', () => {
  const run = (at: number, deliverAt = 5_000): Story =>
    new Story()
      .on({ delayClock: 'server' })
      .publish(0, 0.1, [{ id: 'a', type: 't.a', deliverAt, delay: 5_000 }])
      .run('p', 'a', at, 8)
  expect(run(5).step('p', 1, -2).broken).toEqual([])
  expect(run(4.9).step('p', 1, 2).broken).toEqual(['delays a'])
  expect(run(4.9).step('q', 1, 2).broken).toEqual(['delays a'])
  expect(run(4.9, 3_000).broken).toEqual(['delays a'])
  expect(run(5, 9_000).broken).toEqual([])
})

test('an event that was published again, by another clock, has either date', () => {
  const again = (results: readonly 'unknown'[] | 'none'): Story =>
    new Story()
      .publish(0, 0.1, [{ id: 'a', type: 't.a', deliverAt: 9_000 }], results)
      .publish(1, 1.1, [{ id: 'a', type: 't.a', deliverAt: 5_000 }])
  expect(again('none').run('p', 'a', 5, 6).broken).toEqual([])
  expect(again(['unknown']).run('p', 'a', 4.9, 6).broken).toEqual(['delays a'])
})

test('not for one whose clock was set back', () => {
  expect(dated().step('p', 1, -2).run('p', 'a', 6.9, 8).broken).toEqual([])
  expect(dated().step('p', 1, -2).run('p', 'a', 4.9, 8).broken).toEqual(['delays a'])
})

test('a retry does not come earlier where waits go by a clock that nobody sets', () => {
  const waits = (at: number): Story =>
    new Story()
      .publish(0, 0.1, ['a'])
      .step('p', 0.5, 3)
      .run('p', 'a', 1, 2, 'failed', 4)
      .run('q', { id: 'a', attempt: 2 }, at, at + 1)
  expect(waits(6).broken).toEqual([])
  expect(waits(5.9).broken).toEqual(['delays a'])
  expect(waits(9).on({ settlement: 'recorded' }).broken).toEqual([])
  expect(waits(6).on({ settlement: 'recorded' }).broken).toEqual([])
})

test('elsewhere it comes when a clock says so', () => {
  const waits = (at: number, of: (story: Story) => Story): readonly string[] =>
    of(new Story().on({ settlement: 'recorded' }).publish(0, 0.1, ['a']))
      .run('p', 'a', 1, 2, 'failed', 4)
      .run('q', { id: 'a', attempt: 2 }, at, at + 1).broken
  expect(waits(5.9, (of) => of)).toEqual(['delays a'])
  expect(waits(5.9, (of) => of.step('q', 3, 1))).toEqual([])
  expect(waits(4.9, (of) => of.step('q', 3, 1))).toEqual(['delays a'])
  expect(waits(8.9, (of) => of.step('p', 0.5, 3).step('q', 3, -1))).toEqual([])
})

test('a clock that is set is no reason to lose a lease', () => {
  const lost = { what: 'noticed', code: 'LEASE_LOST', message: '', queue: 'any', id: 'a' } as const
  const story = new Story().publish(0, 0.1, ['a']).run('p', { id: 'a', answer: 'lost' }, 4, 5)
  expect(story.step('p', 3.5, 60).note(4.9, 'p', lost).run('q', 'a', 4.5, 6).broken).toEqual([
    'starts a',
    'overlap a',
  ])
})
