import { describe, expect, test } from 'vitest'
import { keyed, Story } from './story.ts'

/*
 * Made-up histories: what the checker must refuse, each rule in every way in which it can be broken; and beside each what
 * looks like it and is allowed, for a checker that refuses everything proves nothing.
 */
const story = (): Story => new Story()
const lost = (id: string) => ({ what: 'noticed', code: 'LEASE_LOST', message: '', queue: 'any', id }) as const
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

describe('starts', () => {
  const once = (): Story => story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2)
  const unanswered = (): Story => story().publish(0, 0.1, ['a']).run('p', { id: 'a', answer: 'none' }, 1, 2)

  test('a second start of what was handled', () => {
    expect(broken(once().run('q', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('one more start than failures', () => {
    const twice = story()
      .publish(0, 0.1, ['a'])
      .run('p', 'a', 1, 2, 'failed')
      .run('p', { id: 'a', attempt: 2 }, 3, 4)
    expect(broken(twice)).toEqual([])
    expect(twice.judge().counts.repeats).toEqual({ failed: 1 })
    expect(broken(twice.run('p', { id: 'a', attempt: 2 }, 8, 9))).toEqual(['starts a'])
  })
  test('a cause that comes after the start', () => {
    const early = story().publish(0, 0.1, ['a']).run('p', 'a', 1).run('q', 'a', 2, 3)
    expect(broken(early.kill('p', 4))).toEqual(['starts a', 'overlap a'])
  })
  test('a kill of another process', () => {
    expect(broken(once().kill('q', 2.1).run('r', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('a kill long after it was settled', () => {
    expect(broken(once().kill('p', 8).run('q', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('a kill right after the system has said that it was settled', () => {
    expect(broken(once().kill('p', 2.001).run('q', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('but a kill before the answer to its settlement is a cause', () => {
    const killed = unanswered().kill('p', 8).run('q', 'a', 9, 9.1)
    expect(broken(killed)).toEqual([])
    expect(killed.judge().counts).toMatchObject({ kills: 1, repeats: { killed: 1 } })
  })
  test('but a kill in the middle of the run is one', () => {
    const killed = story().publish(0, 0.1, ['a']).run('p', 'a', 1).kill('p', 8).run('q', 'a', 9, 9.1)
    expect(broken(killed)).toEqual([])
  })
  test('two starts for one kill', () => {
    const killed = story().publish(0, 0.1, ['a']).run('p', 'a', 1).kill('p', 2).run('q', 'a', 3, 4)
    expect(broken(killed.run('q', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('a settlement that was only recorded when its process was killed is a cause of its own name', () => {
    const recorded = once().on({ settlement: 'recorded' }).kill('p', 2.4).run('q', 'a', 9, 9.1)
    expect(broken(recorded)).toEqual([])
    expect(recorded.judge().counts.repeats).toEqual({ 'not committed': 1 })
  })
  test('a settlement that nobody has answered, though its process lived on', () => {
    expect(broken(unanswered().run('q', 'a', 9, 9.1))).toEqual(['starts a'])
    expect(broken(unanswered().stop('p', 5, 1).run('q', 'a', 9, 9.1))).toEqual([])
  })
  test('one that was refused, because its lease was over, and there was a reason for that', () => {
    const refused = (answer: 'gone' | 'lost'): Story =>
      story().publish(0, 0.1, ['a']).run('p', { id: 'a', answer }, 1, 5).run('q', 'a', 4, 4.5)
    for (const answer of ['gone', 'lost'] as const) {
      expect(broken(refused(answer))).toEqual(['starts a', 'overlap a'])
      expect(refused(answer).freeze('p', 2, 4.9).judge()).toMatchObject({
        violations: [],
        counts: { repeats: { 'lease lost': 1 } },
      })
    }
  })
  test('a recorded settlement whose process was cut off before it can have committed', () => {
    const cut = (from: number, until: number): Story =>
      once().on({ settlement: 'recorded' }).disturb(from, until).run('q', 'a', 9, 9.1)
    expect(cut(2.4, 3).judge()).toMatchObject({ violations: [], counts: { repeats: { 'not committed': 1 } } })
    expect(broken(cut(5, 8))).toEqual(['starts a'])
  })
  test('a recorded settlement at a time when its process complains of the connection', () => {
    const complains = (at: number): readonly string[] =>
      broken(
        once()
          .on({ settlement: 'recorded' })
          .note(at, 'p', { what: 'noticed', code: 'CONNECTION_LOST', message: '' })
          .run('q', 'a', 9, 9.1),
      )
    expect(complains(2.4)).toEqual([])
    expect(complains(7)).toEqual(['starts a'])
  })
  test('a start elsewhere while its process complains of the connection, now and then', () => {
    const complaint = { what: 'noticed', code: 'CONNECTION_LOST', message: '' } as const
    const complains = (first: number): readonly string[] =>
      broken(
        story()
          .on({ settlement: 'recorded' })
          .publish(0, 0.1, ['a'])
          .note(first, 'p', complaint)
          .run('p', 'a', 3, 5)
          .run('q', 'a', 4, 4.5)
          .note(6.5, 'p', complaint),
      )
    expect(complains(1)).toEqual([])
    expect(complains(0.2)).toEqual(['starts a', 'overlap a'])
  })
  test('a retry that was written, but not that the event has left its place, makes two of one', () => {
    const fork = (): Story =>
      story()
        .publish(0, 0.1, ['a'])
        .run('p', 'a', 1, 2, 'failed')
        .kill('p', 2.1)
        .run('q', { id: 'a', attempt: 2 }, 5, 6)
        .run('q', 'a', 5, 6)
    expect(broken(fork())).toEqual(['starts a', 'overlap a', 'attempts a'])
    expect(broken(fork().on({ settlement: 'recorded' }))).toEqual([])
    expect(broken(fork().on({ settlement: 'recorded' }).run('q', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('a delayed event that was carried on twice, where that is recorded only', () => {
    const twice = (deliverAt?: number): Story =>
      story()
        .on({ settlement: 'recorded' })
        .publish(0, 0.1, [{ id: 'a', type: 't.a', ...(deliverAt !== undefined && { deliverAt }) }])
        .kill('p', 1)
        .run('q', 'a', 15, 16)
        .run('q', 'a', 15, 16)
    expect(broken(twice(15_000))).toEqual([])
    expect(broken(twice())).toEqual(['starts a', 'overlap a'])
    expect(broken(twice(15_000).run('q', 'a', 20, 21))).toEqual(['starts a'])
  })
  test('an event that was put off, and carried on twice where a clock that is behind made its wait a long one', () => {
    const twice = (ahead: number, behind: number, killed = 15): readonly string[] =>
      story()
        .on({ settlement: 'recorded' })
        .publish(0, 0.1, ['a'])
        .step('p', 0.2, ahead)
        .step('q', 0.2, behind)
        .run('p', 'a', 1, 2, 'deferred', 1)
        .kill('q', killed)
        .run('p', 'a', 16, 17)
        .run('p', 'a', 21, 22).broken
    expect(twice(6, -4)).toEqual([])
    expect(twice(6, -4, 1.5)).toEqual(['starts a'])
    expect(twice(6, -2)).toEqual(['starts a'])
    expect(twice(0, -8)).toEqual(['starts a'])
  })
  test('a failure that comes after the lease was lost, and the event started elsewhere', () => {
    const late = (answer: 'done' | 'gone'): Story =>
      story().publish(0, 0.1, ['a']).run('p', { id: 'a', answer }, 1, 8, 'failed').run('q', 'a', 5, 6)
    expect(broken(late('gone'))).toContain('starts a')
    expect(broken(late('gone').note(7, 'p', lost('a')))).toContain('starts a')
    expect(broken(late('gone').stall('p', 6.5, 7.5))).toEqual([])
    // Who could still say that it failed had the lease.
    expect(broken(late('done').stall('p', 6.5, 7.5))).toContain('starts a')
  })
  test('a failure whose lease was lost may have been written all the same, where that is recorded only', () => {
    const late = (): Story =>
      story()
        .on({ settlement: 'recorded' })
        .publish(0, 0.1, ['a'])
        .run('p', 'a', 1, 2, 'failed')
        .note(3, 'p', lost('a'))
        .run('q', { id: 'a', attempt: 2 }, 5, 6)
    expect(broken(late().run('q', 'a', 7, 8))).toEqual([])
    expect(broken(late().run('q', 'a', 7, 8).run('q', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('a commit waits as long as its system is away', () => {
    const away = (until: number): Story => once().on({ settlement: 'recorded' }).disturb(5, until)
    expect(broken(away(8).kill('p', 9).run('q', 'a', 10, 11))).toEqual(['starts a'])
    const late = (): Story => once().on({ settlement: 'recorded' }).disturb(3.9, 8)
    expect(broken(late().kill('p', 7).run('q', 'a', 10, 11))).toEqual([])
  })
  test('a lost lease that its process has told of is a cause', () => {
    const late = unanswered().stall('p', 1.9, 2.9).note(3, 'p', lost('a')).run('q', 'a', 3.5, 4)
    expect(broken(late)).toEqual([])
    expect(late.judge().counts.repeats).toEqual({ 'lease lost': 1 })
    const other = unanswered().stall('p', 1.9, 2.9).note(3, 'p', lost('b'))
    expect(broken(other.run('q', 'a', 3.5, 4))).toEqual(['starts a'])
  })
  test('a stop gives back what it aborted, and what would not end; not what was handled in time', () => {
    const stopped = (of: Story): Story => of.stop('p', 1.5, 1).run('q', 'a', 3.5, 4)
    const given = stopped(story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2.5, 'stopped'))
    expect(given.judge()).toMatchObject({ violations: [], counts: { repeats: { 'given back': 1 } } })
    expect(broken(stopped(story().publish(0, 0.1, ['a']).run('p', 'a', 1)))).toEqual([])
    expect(broken(stopped(once()))).toEqual(['starts a'])
  })
  test('what was never given back at a stop', () => {
    const silent = story().publish(0, 0.1, ['a']).note(1.5, 'p', { what: 'stopping', timeout: 1_000 })
    expect(broken(silent.run('p', 'a', 1).run('q', 'a', 3, 4).note(3.5, 'p', { what: 'stopped' }))).toEqual([
      'starts a',
    ])
  })
  test('a deferral is a cause, once', () => {
    const deferred = story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, 'deferred', 1).run('p', 'a', 3, 4)
    expect(deferred.judge()).toMatchObject({ violations: [], counts: { repeats: { deferred: 1 } } })
    expect(broken(deferred.run('p', 'a', 9, 9.1))).toEqual(['starts a'])
  })
  test('what was published again may come again, what was rejected the first time may not', () => {
    const again = (first: 'unknown' | 'rejected'): Story =>
      story()
        .publish(0, 0.1, ['a'], [first])
        .publish(0.2, 0.3, ['a'])
        .run('p', 'a', 1, 2)
        .run('p', 'a', 9, 9.1)
    expect(again('unknown').judge()).toMatchObject({
      violations: [],
      counts: { repeats: { 'published again': 1 } },
    })
    expect(broken(again('rejected'))).toEqual(['starts a'])
    expect(
      broken(
        story()
          .publish(0, 0.1, ['a'], 'none')
          .publish(0.2, 0.3, ['a'])
          .run('p', 'a', 1, 2)
          .run('p', 'a', 9, 9.1),
      ),
    ).toEqual([])
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
  })
})
