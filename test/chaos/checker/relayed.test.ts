import { describe, expect, test } from 'vitest'
import { outboxQueue } from '../../../src/publish/outbox-queue.ts'
import { keyed, Story } from './story.ts'

const queue = outboxQueue.name
const sent = <const T extends object = {}>(id: string, more?: T) => ({ id, queue, ...(more as T) })
const story = (): Story => new Story().on({ outbox: true })
/** One event in an outbox. */
const committed = (): Story => story().publish(0, 0.1, ['a'])
/** Sent by a relay, and nothing has said whether the outbox knows. */
const unanswered = (): Story => committed().run('r', sent('a', { answer: 'none' }), 1, 1.1)

describe('what was committed', () => {
  test('and never sent', () => {
    expect(committed().broken).toEqual(['handled a', 'handled a'])
    const killed = committed().run('r', sent('a'), 1).kill('r', 2)
    expect(killed.broken).toEqual(['handled a', 'handled a'])
  })
  test('and sent, and never handled', () => {
    const relayed = committed().run('r', sent('a'), 1, 1.1)
    expect(relayed.broken).toEqual(['handled a'])
    expect(relayed.run('p', 'a', 2, 3).broken).toEqual([])
  })
  test('and handled before a relay sent it', () => {
    expect(committed().run('p', 'a', 1, 2).run('r', sent('a'), 3, 3.1).broken).toEqual(['published a'])
    expect(committed().run('p', 'a', 1, 2).broken).toEqual(['handled a', 'published a'])
  })
  test('and is a dead letter of the outbox without a reason', () => {
    expect(committed().dead('a', 2, queue).broken).toEqual(['dead a', 'handled a'])
  })
})

describe('what was rolled back', () => {
  test('and was sent, whether or not anybody was told of the end', () => {
    for (const until of [0.1, undefined]) {
      const back = (): Story => story().rollBack(0, until, 'a')
      expect(back().broken).toEqual([])
      expect(back().run('r', sent('a'), 1, 1.1).run('p', 'a', 2, 3).broken).toEqual([
        'published a',
        'published a',
      ])
    }
  })
  test('is another thing than a commit that got no answer', () => {
    const unknown = (): Story => story().publish(0, 0.1, ['a'], 'none')
    expect(unknown().broken).toEqual([])
    expect(unknown().run('r', sent('a'), 1, 1.1).run('p', 'a', 2, 3).broken).toEqual([])
  })
})

describe('sent again', () => {
  test('without a cause', () => {
    const twice = committed().run('r', sent('a'), 1, 1.1).run('s', sent('a'), 32, 32.1)
    expect(twice.run('p', 'a', 33, 34).broken).toEqual(['starts a'])
  })
  test('because its relay was killed before the outbox knew; and then it may start once more', () => {
    const again = (): Story =>
      unanswered()
        .kill('r', 1.2)
        .run('p', 'a', 2, 3)
        .run('s', sent('a', { lapsed: true }), 32, 32.1)
    expect(again().judge()).toMatchObject({ violations: [], counts: { sentAgain: { killed: 1 } } })
    const twice = again().run('p', 'a', 33, 34)
    expect(twice.judge()).toMatchObject({ violations: [], counts: { repeats: { 'relayed again': 1 } } })
    expect(twice.run('p', 'a', 35, 36).broken).toEqual(['starts a'])
    expect(again().run('s', sent('a'), 64, 64.1).broken).toEqual(['starts a'])
  })
  test('because its relay was killed when the outbox knew, or another was', () => {
    const again = (of: Story): readonly string[] =>
      of.run('p', 'a', 2, 3).run('s', sent('a', { lapsed: true }), 32, 32.1).broken
    expect(again(committed().run('r', sent('a'), 1, 1.1).kill('r', 1.2))).toEqual(['starts a'])
    expect(again(unanswered().kill('q', 1.2))).toEqual(['starts a'])
  })
  test('because its lease was over, for which there is a reason in the lease before', () => {
    const late = (): Story =>
      committed()
        .run('r', sent('a', { answer: 'lost' }), 1, 50)
        .run('s', sent('a', { lapsed: true }), 40, 40.1)
        .run('p', 'a', 41, 42)
    expect(late().broken).toEqual(['starts a', 'overlap a'])
    expect(late().freeze('r', 2, 49).judge()).toMatchObject({
      violations: [],
      counts: { sentAgain: { 'lease lost': 1 } },
    })
    expect(late().disturb(5, 45).broken).toEqual([])
    // It was renewed before and behind.
    expect(late().disturb(5, 15).broken).toEqual(['starts a'])
    expect(late().freeze('r', 60, 90).broken).toEqual(['starts a', 'overlap a'])
  })
  test('because it was published again, the first outcome being unknown', () => {
    const twice = (first: 'unknown' | 'rejected'): Story =>
      story()
        .publish(0, 0.1, ['a'], [first])
        .publish(0.2, 0.3, ['a'])
        .run('r', sent('a'), 1, 1.1)
        .run('r', sent('a'), 2, 2.1)
        .run('p', 'a', 3, 4)
    expect(twice('unknown').judge()).toMatchObject({
      violations: [],
      counts: { sentAgain: { 'published again': 1 } },
    })
    expect(twice('rejected').broken).toEqual(['starts a'])
  })
  test('by the relay that holds it, because the transport had refused it: then it has come only once', () => {
    const tries = (first: 'failed' | 'ok'): Story => {
      const of = committed().run('r', sent('a', { answer: 'none' }), 1, 1.1, first)
      const one = { run: 1, queue, id: 'a', type: 't.a', attempt: 1, replaced: false, now: 0 } as const
      of.note(1.2, 'r', { what: 'start', ...one }).note(1.3, 'r', { what: 'end', run: 1, as: 'ok', now: 0 })
      of.note(1.4, 'r', { what: 'settled', answers: [{ run: 1, as: 'ack', result: 'done' }] })
      return of.run('p', 'a', 2, 3)
    }
    expect(tries('failed').judge()).toMatchObject({
      violations: [],
      counts: { sentAgain: { 'tried again': 1 } },
    })
    expect(tries('failed').run('p', 'a', 4, 5).broken).toEqual(['starts a'])
    expect(tries('ok').broken).toEqual(['starts a'])
  })
})

test('what a relay tells the outbox is what the transport said', () => {
  const refused = committed().run('r', sent('a', { settledAs: 'ack' }), 1, 1.1, 'failed')
  expect(refused.broken).toEqual(['handled a', 'outcomes a', 'handled a'])
})

test('what befalls the outbox excuses no consumer', () => {
  const late = (of: Story): Story =>
    of.run('p', { id: 'a', answer: 'gone' }, 2, 5).run('q', 'a', 4, 4.5).disturb(2, 4.9)
  expect(late(new Story().publish(0, 0.1, ['a'])).broken).toEqual([])
  expect(late(committed().run('r', sent('a'), 1, 1.1)).broken).toEqual(['starts a', 'overlap a'])
})

test('order by key is that of the commits', () => {
  const swapped = (second: number): readonly string[] =>
    story()
      .on({ outbox: true, order: 'park' })
      .publish(0, 0.1, [keyed('a')])
      .publish(second, 0.3, [keyed('b')])
      .run('r', keyed('b', { queue }), 1, 1.1)
      .run('r', keyed('a', { queue }), 2, 2.1)
      .run('p', keyed('b'), 3, 4)
      .run('p', keyed('a'), 5, 6).broken
  expect(swapped(0.2)).toEqual(['order a b'])
  // Both transactions were open.
  expect(swapped(0.05)).toEqual([])
})

describe('a delay', () => {
  const delayed = (of: (story: Story) => Story, at: number): readonly string[] =>
    of(story().publish(0, 0.1, [{ id: 'a', type: 't.a', deliverAt: 9_000, delay: 5_000 }]))
      .run('r', sent('a'), 1, 1.1)
      .run('p', 'a', at, at + 1).broken

  test('counts from when the outbox has it, whatever the publisher’s clock says', () => {
    expect(delayed((of) => of, 4.998)).toEqual(['delays a'])
    expect(delayed((of) => of, 5)).toEqual([])
    expect(delayed((of) => of.step('publisher', 0.5, 4), 4.9)).toEqual(['delays a'])
  })
  test('becomes a date, which may come earlier by another clock at the queues', () => {
    expect(delayed((of) => of.step('p', 1, 2), 3)).toEqual([])
    expect(delayed((of) => of.step('r', 0.5, 2), 3)).toEqual([])
    expect(delayed((of) => of.step('p', 1, 1), 3)).toEqual(['delays a'])
  })
})
