import { describe, expect, test } from 'vitest'
import { Story } from './story.ts'

const story = (): Story => new Story()
const broken = (of: Story): readonly string[] => of.broken

describe('attempts', () => {
  const failed = (answer: 'done' | 'none' = 'done'): Story =>
    story().publish(0, 0.1, ['a']).run('p', { id: 'a', answer }, 1, 2, 'failed')

  test('a failure that was not counted', () => {
    expect(broken(failed().run('q', { id: 'a', attempt: 1 }, 5, 6))).toEqual(['attempts a'])
    expect(broken(failed().kill('p', 2.1).run('q', { id: 'a', attempt: 1 }, 5, 6))).toEqual(['attempts a'])
  })
  test('whether it was, if its process died before it was told, is seen in what comes next', () => {
    const next = (attempt: number, lapsed: boolean): readonly string[] =>
      broken(failed('none').kill('p', 2.1).run('q', { id: 'a', attempt, lapsed }, 5, 6))
    expect(next(2, false)).toEqual([])
    expect(next(1, false)).toEqual(['attempts a'])
    expect(next(1, true)).toEqual([])
    expect(next(2, true)).toEqual(['attempts a'])
  })
  test('a deferral that got no answer counts if it was not done, and the event was alone', () => {
    const deferred = (attempt: number, lapsed: boolean): readonly string[] =>
      broken(
        story()
          .publish(0, 0.1, ['a'])
          .claim('x', 0.5, { id: 'a' })
          .kill('x', 0.6)
          .run('p', { id: 'a', lapsed: true, answer: 'none' }, 3, 4, 'deferred', 1)
          .kill('p', 4.1)
          .run('q', { id: 'a', attempt, lapsed }, 7, 8),
      )
    expect(deferred(1, false)).toEqual([])
    expect(deferred(2, false)).toEqual(['attempts a'])
    expect(deferred(2, true)).toEqual([])
    expect(deferred(1, true)).toEqual(['attempts a'])
  })
  test('an attempt that was none', () => {
    expect(broken(failed().run('q', { id: 'a', attempt: 3 }, 5, 6))).toEqual(['attempts a'])
    const deferred = story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, 'deferred', 1)
    expect(broken(deferred.run('p', { id: 'a', attempt: 2 }, 5, 6))).toEqual(['attempts a'])
    const stopped = story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2.5, 'stopped').stop('p', 1.5, 1)
    expect(broken(stopped.run('q', { id: 'a', attempt: 2 }, 5, 6))).toEqual(['attempts a'])
  })
  test('one that was counted though the event was only handed out', () => {
    const claimed = story().publish(0, 0.1, ['a']).claim('p', 1, { id: 'a' }).kill('p', 2)
    expect(broken(claimed.run('q', { id: 'a', attempt: 2, lapsed: true }, 5, 6))).toEqual(['attempts a'])
  })
  test('a start behind the last attempt', () => {
    const all = story().publish(0, 0.1, ['a'])
    for (const attempt of [1, 2, 3])
      all.run('p', { id: 'a', attempt, settledAs: 'retry' }, attempt, attempt + 0.5, 'failed')
    expect(broken(all.run('p', { id: 'a', attempt: 4 }, 5, 6))).toEqual(['attempts a', 'outcomes a'])
  })

  /** The event was with a process that died, and then again with one, alone. */
  const crashed = (lapsed: boolean): Story =>
    story()
      .publish(0, 0.1, ['a'])
      .run('p', 'a', 1)
      .kill('p', 2)
      .run('q', { id: 'a', lapsed: true }, 5)
      .kill('q', 6)
      .run('r', { id: 'a', attempt: lapsed ? 2 : 1, lapsed: true }, 9, 9.1)

  test('a crash beside others that counted, or one alone that did not', () => {
    const first = story().publish(0, 0.1, ['a']).run('p', 'a', 1).kill('p', 2)
    expect(broken(first.run('q', { id: 'a', attempt: 2, lapsed: true }, 5, 6))).toEqual(['attempts a'])
    expect(broken(crashed(true))).toEqual([])
    expect(broken(crashed(false))).toEqual(['attempts a'])
  })
  test('any crash, where none counts', () => {
    expect(broken(crashed(true).on({ attempts: 'failures' }))).toEqual(['attempts a'])
    expect(broken(crashed(false).on({ attempts: 'failures' }))).toEqual([])
  })
  test('a lease that was lost while the event was alone counts as a crash', () => {
    const lost = (attempt: number): Story =>
      story()
        .publish(0, 0.1, ['a'])
        .claim('p', 1, { id: 'a' })
        .kill('p', 2)
        .run('q', { id: 'a', lapsed: true, answer: 'lost' }, 4, 9)
        .freeze('q', 5, 8)
        .run('r', { id: 'a', attempt, lapsed: true }, 7.5, 10)
    expect(broken(lost(2))).toEqual([])
    expect(broken(lost(1))).toEqual(['attempts a'])
  })
  test('a failure that was counted, but the answer was cut off, counts once it is refused, too', () => {
    const missed = (attempt: number): Story =>
      story()
        .publish(0, 0.1, ['a'])
        .run('p', { id: 'a', answer: 'gone' }, 1, 2, 'failed', 0.1)
        .run('q', { id: 'a', attempt }, 2.5, 3)
    expect(broken(missed(2).disturb(1.5, 2.2))).toEqual([])
    expect(broken(missed(1).disturb(1.5, 2.2))).toEqual(['attempts a'])
    expect(broken(missed(2).disturb(0.5, 0.9))).toContain('attempts a')
  })
  test('a failure whose answer nobody heard may count, if somebody may have had the event since of whom nothing was heard', () => {
    const next = (died: number | undefined, attempt = 2): readonly string[] => {
      const failing = story()
        .publish(0, 0.1, ['a'])
        .run('p', { id: 'a', answer: 'none' }, 1, 2, 'failed', 0.5)
        .kill('p', 2.2)
      if (died !== undefined) failing.claim('x', 0.5, { id: 'other' }).kill('x', died)
      return broken(failing.run('q', { id: 'a', attempt, lapsed: true }, 9, 10))
    }
    expect(next(undefined)).toEqual(['attempts a'])
    expect(next(2.4)).toEqual(['attempts a'])
    expect(next(3)).toEqual([])
    expect(next(3, 1)).toEqual([])
    expect(next(3, 3)).toEqual(['attempts a'])
  })
  test('what a stop keeps counts as a crash if it was alone, what it gives back counts for nothing', () => {
    const stopped = (keep: readonly number[], attempt: number): Story =>
      story()
        .publish(0, 0.1, ['a'])
        .claim('p', 1, { id: 'a' })
        .kill('p', 2)
        .run('q', { id: 'a', lapsed: true }, 4)
        .stop('q', 5, 1, keep)
        .run('r', { id: 'a', attempt, lapsed: keep.length > 0 }, 9, 10)
    expect(broken(stopped([2], 2))).toEqual([])
    expect(broken(stopped([2], 1))).toEqual(['attempts a'])
    expect(broken(stopped([], 1))).toEqual([])
  })
  test('who stood still before he could tell what he was given may have had it long before', () => {
    const late = (attempt: number, frozen: Story = story()): Story =>
      frozen
        .publish(0, 0.1, ['a'])
        .run('q', 'a', 4, 5, 'failed')
        .run('q', { id: 'a', attempt: 2 }, 6, 7)
        .claim('p', 8.05, { id: 'a', attempt })
    expect(broken(late(1))).toEqual(['attempts a'])
    expect(broken(late(1, story().freeze('p', 1, 8)))).toEqual([])
    const alone = (frozen: Story): Story =>
      frozen
        .publish(0, 0.1, ['a'])
        .claim('x', 0.5, { id: 'a' })
        .kill('x', 0.6)
        .run('q', { id: 'a', attempt: 2, lapsed: true }, 6, 7)
        .claim('p', 8.05, { id: 'a', lapsed: true })
    expect(broken(alone(story()))).toEqual(['attempts a'])
    expect(broken(alone(story().freeze('p', 3, 8)))).toEqual([])
  })
  test('who died while he asked for an event that was to be alone may have had it', () => {
    const asking = (queue: string, more: (of: Story) => Story = (of) => of): readonly string[] =>
      broken(
        more(
          story().publish(0, 0.1, ['a']).run('p', 'a', 1).kill('p', 2).note(5, 'q', { what: 'asked', queue }),
        )
          .kill('q', 5.1)
          .run('r', { id: 'a', attempt: 2, lapsed: true }, 9, 10),
      )
    expect(asking('any')).toEqual([])
    expect(asking('other')).toEqual(['attempts a'])
    const answered = { what: 'claimed', queue: 'any', events: [] } as const
    expect(asking('any', (of) => of.note(5.05, 'q', answered))).toEqual(['attempts a'])
  })
  test('and so it may when nobody has told of the event before', () => {
    const asking = (queue: string): readonly string[] =>
      broken(
        story()
          .publish(0, 0.1, ['a'])
          .note(5, 'q', { what: 'asked', queue })
          .kill('q', 5.1)
          .run('r', { id: 'a', attempt: 2, lapsed: true }, 9, 10),
      )
    expect(asking('any')).toEqual([])
    expect(asking('other')).toEqual(['attempts a'])
  })
  test('but not who died before it was published; whose look took until then may', () => {
    const asking = (killed: number): readonly string[] =>
      broken(
        story()
          .note(1, 'q', { what: 'asked', queue: 'any' })
          .publish(3, 3.1, ['a'])
          .kill('q', killed)
          .run('r', { id: 'a', attempt: 2, lapsed: true }, 9, 10),
      )
    expect(asking(1.1)).toEqual(['attempts a'])
    expect(asking(5)).toEqual([])
  })
})

describe('dead', () => {
  test('a dead letter of an event that had attempts left', () => {
    expect(broken(story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, 'failed').dead('a', 2))).toEqual([
      'dead a',
    ])
    expect(broken(story().publish(0, 0.1, ['a']).dead('a', 2))).toEqual(['dead a'])
  })
  test('two dead letters of one event', () => {
    const dead = (): Story => story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, 'fatal').dead('a', 2)
    expect(broken(dead())).toEqual([])
    expect(broken(dead().dead('a', 3))).toEqual(['dead a'])
    expect(broken(dead().dead('a', 3).publish(0.2, 0.3, ['a']))).toEqual([])
    expect(broken(dead().dead('a', 3).on({ settlement: 'recorded' }))).toEqual([])
  })
  test('but crashes use them up, where they count: not the first, which it had beside others', () => {
    const crashes = (times: number): Story => {
      const of = story().publish(0, 0.1, ['a'])
      for (let n = 1; n <= times; n++) {
        const attempt = Math.max(n - 1, 1)
        of.run(`p${n}`, { id: 'a', attempt, lapsed: n > 1 }, n).kill(`p${n}`, n + 0.5)
      }
      return of.claim('q', times + 1, { id: 'a', attempt: times, lapsed: true }).dead('a', times + 1)
    }
    expect(broken(crashes(4))).toEqual([])
    expect(broken(crashes(3))).toEqual(['dead a'])
  })
  test('crashes of processes that did not have the event', () => {
    const others = story().publish(0, 0.1, ['a']).run('p', 'a', 1).kill('p', 1.5)
    for (const n of [2, 3, 4, 5]) others.kill(`p${n}`, n)
    expect(broken(others.dead('a', 6))).toEqual(['dead a'])
  })
})

describe('outcomes', () => {
  test('what the system is told is what the handler said', () => {
    const told = (
      as: 'ok' | 'failed' | 'fatal' | 'deferred',
      settledAs: 'ack' | 'retry' | 'dead' | 'release',
    ) =>
      broken(story().publish(0, 0.1, ['a']).run('p', { id: 'a', settledAs }, 1, 2, as)).filter((rule) =>
        rule.startsWith('outcomes'),
      )
    expect([told('ok', 'ack'), told('failed', 'retry'), told('fatal', 'dead')]).toEqual([[], [], []])
    expect(told('failed', 'ack')).toEqual(['outcomes a'])
    expect(told('failed', 'dead')).toEqual(['outcomes a'])
    expect(told('failed', 'release')).toEqual(['outcomes a'])
    expect(told('ok', 'retry')).toEqual(['outcomes a'])
    expect(told('fatal', 'retry')).toEqual(['outcomes a'])
    expect(told('deferred', 'retry')).toEqual(['outcomes a'])
  })
  test('what fails when it was aborted by a stop counts for nothing', () => {
    const failing = (until: number): Story =>
      story()
        .publish(0, 0.1, ['a'])
        .run('p', { id: 'a', settledAs: 'release' }, 1, until, 'failed')
        .stop('p', 1.5, 1)
        .run('q', 'a', 4, 5)
    expect(broken(failing(2.6))).toEqual([])
    expect(broken(failing(2.4))).toEqual(['outcomes a'])
  })
})

describe('alone', () => {
  const beside = (lapsed: boolean, at: number): readonly string[] =>
    broken(
      story()
        .publish(0, 0.1, ['a', 'b'])
        .claim('q', 1, { id: 'a' })
        .kill('q', 1.5)
        .run('p', { id: 'a', lapsed }, 4, 6)
        .run('p', 'b', at, 8),
    )
  test('an event starts beside one whose holder had died', () => {
    expect(beside(true, 5)).toEqual(['alone a b'])
    expect(beside(true, 3)).toEqual([])
    expect(beside(true, 7)).toEqual([])
    expect(beside(false, 5)).toEqual([])
  })
})
