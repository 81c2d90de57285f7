import { expect, test } from 'vitest'
import { keyed, Story } from './story.ts'

const lost = { what: 'noticed', code: 'LEASE_LOST', message: '', queue: 'any', id: 'a' } as const

/** Three have the same event at once, of which two tell that they lost their lease. */
function three(): Story {
  return new Story()
    .on({ order: 'park' })
    .publish(0, 0.1, [keyed('a')])
    .run('p', keyed('a', { answer: 'lost' }), 4, 5)
    .run('q', keyed('a', { answer: 'lost' }), 4.1, 5.1)
    .run('r', keyed('a'), 4.2, 5.2)
    .note(5.05, 'p', lost)
    .note(5.15, 'q', lost)
}

test('leases that nothing kept from being renewed are not lost', () => {
  expect(three().broken).toEqual(['starts a', 'overlap a', 'overlap a'])
})

test('but a stall, a freeze or a cut is a reason to lose one', () => {
  expect(three().stall('p', 3, 3.9).stall('q', 3.1, 4).broken).toEqual([])
  expect(three().freeze('p', 3, 3.9).freeze('q', 3.1, 4).broken).toEqual([])
  expect(three().disturb(3, 3.9).broken).toEqual([])
})

test('also when somebody else stood still: he may have kept all from writing', () => {
  const other = (): Story => three().note(0, 'x', { what: 'up' })
  expect(other().freeze('x', 2.8, 3.9).broken).toEqual([])
  expect(other().freeze('x', 3, 3.9).broken).toEqual(['starts a', 'overlap a', 'overlap a'])
})

test('not one that was over long before, or came after', () => {
  expect(three().stall('p', 0.2, 1.9).stall('q', 5.2, 6).broken).toEqual([
    'starts a',
    'overlap a',
    'overlap a',
  ])
})

test('where leases end with their session there is nothing to renew', () => {
  expect(three().on({ order: 'park', settlement: 'recorded' }).broken).toEqual([])
})

test('an abort without a notice is a lost lease too, for the same reasons', () => {
  const aborted = (): Story =>
    new Story()
      .publish(0, 0.1, ['a'])
      .run('p', { id: 'a', answer: 'none' }, 4, 5, 'aborted')
      .run('q', 'a', 4.5, 6)
  expect(aborted().broken).toEqual(['starts a', 'overlap a'])
  expect(aborted().stall('p', 3, 4.4).broken).toEqual([])
})

/** While b is with p, q is handed the retry of a, which stands before it. */
function passedOver(): Story {
  return new Story()
    .on({ order: 'pass' })
    .publish(0, 0.1, [keyed('a'), keyed('b')])
    .run('p', keyed('a'), 0.2, 0.3, 'failed', 0.3)
    .run('p', keyed('b'), 1, 4)
    .run('q', keyed('a', { attempt: 2 }), 3.5, 3.6)
}

test('a lease that ran out while its process stood still keeps its key from nobody, though its ack counts', () => {
  expect(passedOver().freeze('p', 2, 3.9).broken).toEqual([])
  expect(passedOver().stall('p', 0.5, 3.9).broken).toEqual([])
})

test('but not one that had time to be renewed, nor the event itself', () => {
  expect(passedOver().broken).toEqual(['overlap b a'])
  expect(passedOver().freeze('p', 3, 3.9).broken).toEqual(['overlap b a'])
  expect(passedOver().freeze('p', 2.6, 3.9).broken).toEqual(['overlap b a'])
  const twice = new Story()
    .publish(0, 0.1, [keyed('a')])
    .run('p', keyed('a'), 1, 4)
    .run('q', keyed('a'), 3.5, 3.6)
    .freeze('p', 2, 3.9)
  expect(twice.broken).toEqual(['starts a', 'overlap a'])
})
