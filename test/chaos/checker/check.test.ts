import { describe, expect, test } from 'vitest'
import { keyed, Story } from './story.ts'

/*
 * Made-up histories: what the checker must refuse, each rule in every way in which it can be broken; and beside each what
 * looks like it and is allowed, for a checker that refuses everything proves nothing.
 */
const story = (): Story => new Story()
const broken = (of: Story): readonly string[] => of.broken

describe('handled', () => {
  test('an event that was taken and never started', () => {
    expect(broken(story().publish(0, 0.1, ['a', 'b']).run('p', 'a', 1, 2))).toEqual(['handled b'])
  })
  test('an event that only failed', () => {
    expect(broken(story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, 'failed'))).toEqual(['handled a'])
  })
  test('an event whose only run was killed', () => {
    expect(broken(story().publish(0, 0.1, ['a']).run('p', 'a', 1).kill('p', 2))).toEqual(['handled a'])
  })
  test('an event that one of two queues did not get', () => {
    const both = story()
      .on({ rare: true })
      .publish(0, 0.1, [{ id: 'a', type: 't.b' }])
    expect(broken(both.run('p', { id: 'a', type: 't.b' }, 1, 2))).toEqual(['handled a'])
    expect(broken(both.run('p', { id: 'a', type: 't.b', queue: 'only-b' }, 1, 2))).toEqual([])
  })
  test('a dead letter of another queue', () => {
    const both = story()
      .on({ rare: true })
      .publish(0, 0.1, [{ id: 'a', type: 't.b' }])
    both
      .run('p', { id: 'a', type: 't.b' }, 1, 2, 'fatal')
      .run('p', { id: 'a', type: 't.b', queue: 'only-b' }, 1, 2)
    expect(broken(both)).toEqual(['handled a'])
    expect(broken(both.dead('a', 2))).toEqual([])
  })
  test('but nobody has promised anything of an event whose outcome is unknown', () => {
    expect(broken(story().publish(0, 0.1, ['a'], 'none').publish(0, 0.1, ['b'], ['unknown']))).toEqual([])
  })
})

describe('published', () => {
  test('a start of what was never published, or was rejected', () => {
    expect(broken(story().run('p', 'a', 1, 2))).toEqual(['published a'])
    expect(broken(story().publish(0, 0.1, ['a'], ['rejected']).run('p', 'a', 1, 2))).toEqual(['published a'])
  })
  test('a start in a queue that does not subscribe to it', () => {
    const astray = story().on({ rare: true }).publish(0, 0.1, ['a']).run('p', 'a', 1, 2)
    expect(broken(astray.run('p', { id: 'a', queue: 'only-b' }, 1, 2))).toEqual(['published a'])
  })
  test('another key or type than it was published with', () => {
    expect(broken(story().publish(0, 0.1, ['a']).run('p', { id: 'a', key: 'x' }, 1, 2))).toEqual([
      'published a',
    ])
    expect(broken(story().publish(0, 0.1, ['a']).run('p', { id: 'a', type: 't.b' }, 1, 2))).toEqual([
      'published a',
    ])
  })
  test('an event of a key that is taken behind one that is not', () => {
    const events = [keyed('a'), { ...keyed('b'), key: 'other' }, keyed('c')]
    const all = (results: readonly ('taken' | 'rejected' | 'unknown')[]): readonly string[] =>
      broken(story().publish(0, 0.1, events, results)).filter((rule) => !rule.startsWith('handled'))
    expect(all(['rejected', 'taken', 'taken'])).toEqual(['taken in order a c'])
    expect(all(['unknown', 'taken', 'taken'])).toEqual(['taken in order a c'])
    expect(all(['rejected', 'taken', 'rejected'])).toEqual([])
  })
})

describe('delays', () => {
  test('a delayed event that starts early, be it by a millisecond', () => {
    const delayed = (at: number): readonly string[] =>
      broken(
        story()
          .publish(0, 0.1, [{ id: 'a', type: 't.a', deliverAt: 5_000 }])
          .run('p', 'a', at, 6),
      )
    expect(delayed(4.999)).toEqual(['delays a'])
    expect(delayed(5)).toEqual([])
  })
  test('a retry, or the end of a deferral, before its wait is over', () => {
    const again = (as: 'failed' | 'deferred', at: number): readonly string[] => {
      const attempt = as === 'failed' ? 2 : 1
      return broken(
        story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, as, 4).run('p', { id: 'a', attempt }, at, 8),
      )
    }
    expect(again('failed', 5.999)).toEqual(['delays a'])
    expect(again('deferred', 5.999)).toEqual(['delays a'])
    expect(again('failed', 6)).toEqual([])
  })
  test('but what ends when a stop has aborted it is given back, whatever it says', () => {
    const stopped = (until: number): Story =>
      story()
        .publish(0, 0.1, ['a'])
        .run('p', { id: 'a', settledAs: 'release' }, 1, until, 'deferred', 4)
        .stop('p', 1.5, 1)
        .run('q', 'a', 4, 5)
    expect(broken(stopped(2.6))).toEqual([])
    expect(broken(stopped(2.4))).toEqual(['delays a'])
  })
  test('but nobody waits for a failure that died with its process', () => {
    const killed = (answer: 'done' | 'none'): Story =>
      story().publish(0, 0.1, ['a']).run('p', { id: 'a', answer }, 1, 2, 'failed', 4).kill('p', 2.1)
    expect(broken(killed('none').run('q', { id: 'a', lapsed: true }, 3, 4))).toEqual([])
    expect(broken(killed('done').run('q', { id: 'a', attempt: 2 }, 3, 4))).toEqual(['delays a'])
  })
})

describe('processes', () => {
  const ended = (code: number): Story =>
    story()
      .note(1, 'harness', { what: 'spawned', of: 'p' })
      .note(3, 'harness', { what: 'gone', of: 'p', code, signal: null })

  test('a process that ends by itself', () => {
    expect(broken(ended(1))).toEqual(['processes'])
    expect(broken(ended(0))).toEqual([])
  })
  test('a process that does not end when it is told to', () => {
    const overdue = story().note(1, 'harness', { what: 'overdue', of: 'p' }).kill('p', 1)
    expect(broken(overdue)).toEqual(['processes'])
  })
  test('one that could not start, though nothing was in its way', () => {
    expect(broken(ended(75))).toEqual(['processes'])
    expect(broken(ended(75).disturb(2, 2.5))).toEqual([])
    expect(broken(ended(75).freeze('q', 2, 2.5))).toEqual([])
    expect(broken(ended(75).freeze('q', 0, 0.5))).toEqual(['processes'])
  })
})
