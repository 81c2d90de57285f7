import { describe, expect, test } from 'vitest'
import { Story } from './story.ts'

const story = (): Story => new Story()
const lost = (id: string) => ({ what: 'noticed', code: 'LEASE_LOST', message: '', queue: 'any', id }) as const
const broken = (of: Story): readonly string[] => of.broken

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
