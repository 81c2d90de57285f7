import { describe, expect, test } from 'vitest'
import { keyed, Story } from './story.ts'

const story = (): Story => new Story()
const lost = (id: string) => ({ what: 'noticed', code: 'LEASE_LOST', message: '', queue: 'any', id }) as const
const broken = (of: Story): readonly string[] => of.broken

describe('order', () => {
  /** b was published when a was taken. */
  const pair = (order: 'park' | 'pass' | 'none' = 'park'): Story =>
    story()
      .on({ order })
      .publish(0, 0.1, [keyed('a')])
      .publish(0.2, 0.3, [keyed('b')])

  test('b starts before a', () => {
    const swapped = (order: 'park' | 'pass' | 'none'): readonly string[] =>
      broken(pair(order).run('p', keyed('b'), 1, 2).run('p', keyed('a'), 3, 4))
    expect(swapped('park')).toEqual(['order a b'])
    expect(swapped('pass')).toEqual(['order a b'])
    expect(swapped('none')).toEqual([])
  })
  test('b starts between two runs of a, which pass allows and park does not', () => {
    const between = (order: 'park' | 'pass', as: 'failed' | 'deferred'): readonly string[] =>
      broken(
        pair(order)
          .run('p', keyed('a'), 1, 2, as)
          .run('p', keyed('b'), 3, 4)
          .run('p', keyed('a', { attempt: as === 'failed' ? 2 : 1 }), 5, 6),
      )
    expect(between('park', 'failed')).toEqual(['order a b'])
    expect(between('park', 'deferred')).toEqual(['order a b'])
    expect(between('pass', 'failed')).toEqual([])
    expect(between('pass', 'deferred')).toEqual([])
  })
  test('b starts when the process of a was killed: it had not gone to a retry', () => {
    const killed = pair('pass').run('p', keyed('a'), 1).kill('p', 2).run('q', keyed('b'), 3, 4)
    expect(broken(killed.run('q', keyed('a'), 5, 6))).toEqual(['order a b'])
  })
  test('b starts when a was given back at a stop', () => {
    const stopped = pair('pass')
      .note(1.5, 'p', { what: 'stopping', timeout: 0 })
      .note(2.1, 'p', { what: 'stopped' })
    stopped.run('p', keyed('a'), 1, 2, 'stopped').run('q', keyed('b'), 3, 4).run('q', keyed('a'), 5, 6)
    expect(broken(stopped)).toEqual(['order a b'])
  })
  test('a that is dead, fatal or out of attempts is done with', () => {
    const after = (of: Story): readonly string[] => broken(of.run('p', keyed('b'), 9, 9.1))
    expect(after(pair().run('p', keyed('a'), 1, 2, 'fatal').dead('a', 2))).toEqual([])
    const failing = pair().on({ order: 'park', attempts: 'failures' })
    for (const attempt of [1, 2, 3])
      failing.run('p', keyed('a', { attempt }), attempt, attempt + 0.5, 'failed')
    expect(after(failing.dead('a', 3.5))).toEqual([])
    expect(
      after(
        pair()
          .run('p', keyed('a'), 1, 2, 'failed')
          .run('p', keyed('a', { attempt: 2 }), 10, 11),
      ),
    ).toEqual(['order a b'])
  })
  test('the second of one call starts before the first', () => {
    const call = story()
      .on({ order: 'park' })
      .publish(0, 0.1, [keyed('a'), keyed('b')])
    expect(broken(call.run('p', keyed('b'), 1, 2).run('p', keyed('a'), 3, 4))).toEqual(['order a b'])
  })
  test('an event of long before, behind many that were in order', () => {
    const many = story().on({ order: 'park' })
    for (const n of [0, 1, 2, 3]) many.publish(n / 10, n / 10 + 0.05, [keyed(`e${n}`)])
    for (const n of [1, 2, 3]) many.run('p', keyed(`e${n}`), n, n + 0.5)
    expect(broken(many.run('p', keyed('e0'), 8, 9))).toEqual(['order e0 e1', 'order e0 e2', 'order e0 e3'])
  })
  test('nothing is said of calls that overlap, of other keys, of delayed events, or of a second run', () => {
    const swapped = (of: Story, key = 'k'): readonly string[] =>
      broken(of.run('p', { ...keyed('b'), key }, 1, 2).run('p', keyed('a'), 3, 4))
    const ordered = (): Story => story().on({ order: 'park' })
    expect(
      swapped(
        ordered()
          .publish(0, 0.3, [keyed('a')])
          .publish(0.2, 0.4, [keyed('b')]),
      ),
    ).toEqual([])
    expect(
      swapped(
        ordered()
          .publish(0, 0.1, [keyed('a')])
          .publish(0.2, 0.3, [{ ...keyed('b'), key: 'x' }]),
        'x',
      ),
    ).toEqual([])
    expect(
      swapped(
        ordered()
          .publish(0, 0.1, [keyed('a', { deliverAt: 2_500 })])
          .publish(0.2, 0.3, [keyed('b')]),
      ),
    ).toEqual([])
    const again = pair()
      .run('p', keyed('a', { answer: 'none' }), 1, 2)
      .kill('p', 2.1)
      .run('q', keyed('b'), 3, 4)
    expect(broken(again.run('q', keyed('a'), 5, 6))).toEqual([])
  })
})

describe('overlap', () => {
  const two = (order: 'park' | 'none'): Story =>
    story()
      .on({ order })
      .publish(0, 0.3, [keyed('a')])
      .publish(0.1, 0.4, [keyed('b')])

  test('two events of one key at the same time', () => {
    const both = (order: 'park' | 'none'): readonly string[] =>
      broken(two(order).run('p', keyed('a'), 1, 3).run('q', keyed('b'), 2, 4))
    expect(both('park')).toEqual(['overlap a b'])
    expect(both('none')).toEqual([])
  })
  test('one event in two places at the same time', () => {
    const late = story().publish(0, 0.1, ['a']).run('p', 'a', 1, 3, 'failed').run('q', 'a', 2, 4)
    expect(broken(late)).toContain('overlap a')
  })
  test('a long run beside which several others come', () => {
    const long = two('park')
      .publish(0, 0.5, [keyed('c')])
      .run('p', keyed('a'), 1, 9)
    expect(broken(long.run('q', keyed('b'), 2, 3).run('q', keyed('c'), 4, 5))).toEqual([
      'overlap a b',
      'overlap a c',
    ])
  })
  test('but who lost his settlement had gone on to the next by then', () => {
    const gone = (as: 'ok' | 'failed', answer: 'done' | 'gone' = 'done'): Story =>
      two('park')
        .on({ order: 'pass' })
        .run('p', keyed('a', { answer }), 1, 1.1, as)
        .run('p', keyed('b'), 5, 7)
        .run('q', keyed('a', { attempt: as === 'ok' ? 1 : 2 }), 6, 8)
    expect(broken(gone('ok'))).toEqual(['starts a', 'overlap b a'])
    expect(broken(gone('failed'))).toEqual(['overlap b a'])
    expect(broken(gone('ok', 'gone'))).toEqual(['starts a', 'overlap b a'])
    expect(broken(gone('ok', 'gone').freeze('p', 0.2, 0.9))).toEqual([])
  })
  test('but the lease may have been lost, or the process frozen, cut off or killed', () => {
    const beside = (of: Story): readonly string[] =>
      broken(of.run('q', keyed('b'), 3, 4)).filter((rule) => rule.startsWith('overlap'))
    const a = (answer: 'done' | 'gone' = 'gone'): Story => two('park').run('p', keyed('a', { answer }), 1, 5)
    expect(beside(a())).toEqual(['overlap a b'])
    expect(beside(a('done').freeze('p', 1.5, 4.5))).toEqual(['overlap a b'])
    expect(beside(a().note(5, 'p', lost('a')))).toEqual(['overlap a b'])
    expect(beside(a().stall('p', 2, 2.9).note(5, 'p', lost('a')))).toEqual([])
    expect(beside(a().freeze('p', 1.5, 4.5))).toEqual([])
    expect(beside(a().freeze('q', 1.5, 2.5))).toEqual(['overlap a b'])
    expect(beside(a().disturb(1.5, 2.5))).toEqual([])
    expect(beside(two('park').run('p', keyed('a'), 1).kill('p', 2))).toEqual([])
  })
})
