import { describe, expect, test } from 'vitest'
import { Story } from './story.ts'

const noticed = (code: 'BREAKER_OPEN' | 'BREAKER_CLOSED') =>
  ({ what: 'noticed', code, message: '', queue: 'any' }) as const

/** Events of which each failed once at the end of its tenth of a second, beginning with the second `from`. */
function failing(count: number, { of = count, from = 1, by = 'p', every = 0.1 } = {}): Story {
  const ids = Array.from({ length: of }, (_, n) => `e${n}`)
  const story = new Story().publish(0, 0.1, ids)
  for (let n = 0; n < count; n++) {
    const [at, attempt] = [from + n * every, 1 + Math.floor(n / of)]
    story.run(by, { id: ids[n % of]!, attempt, settledAs: 'retry' }, at, at + every - 0.01, 'failed')
  }
  return story
}

/** What is wrong with the breaker; that events fail here and end nowhere is not the question. */
const wrong = (of: Story): readonly string[] => of.broken.filter((rule) => rule.startsWith('breaker'))
const next = (of: Story, at: number, id = 'x'): Story => of.publish(0, 0.1, [id]).run('p', id, at, at + 0.1)

describe('the breaker opens', () => {
  const opened = (of: Story, at = 2.995): readonly string[] =>
    wrong(of.note(at, 'p', noticed('BREAKER_OPEN')))

  test('after 20 failures in a row, not before', () => {
    expect(opened(failing(20))).toEqual([])
    expect(opened(failing(19))).toEqual(['breaker'])
  })
  test('not if some of them were handled in between, or given back', () => {
    expect(opened(next(failing(20), 2, 'ok'))).toEqual(['breaker'])
    const given = failing(19).publish(0, 0.1, ['x'])
    given.run('p', { id: 'x', settledAs: 'release' }, 2.5, 2.9, 'failed')
    expect(opened(given)).toEqual(['breaker'])
  })
  test('if they are of 10 events at least, in 30 seconds', () => {
    expect(opened(failing(20, { of: 10 }))).toEqual([])
    expect(opened(failing(20, { of: 9 }))).toEqual(['breaker'])
    expect(opened(failing(20, { every: 1.6 }), 33)).toEqual(['breaker'])
  })
  test('perhaps for one whose lease was lost', () => {
    const lost = (failures: number): Story =>
      failing(failures)
        .publish(0, 0.1, ['x'])
        .run('p', { id: 'x', answer: 'gone' }, 2.8, 2.9, 'failed')
        .disturb(2.7, 2.95)
    expect(opened(lost(19))).toEqual([])
    expect(opened(lost(18))).toEqual(['breaker'])
    expect(wrong(next(lost(19), 3.2))).toEqual([])
    expect(wrong(next(lost(20), 3.2))).toEqual(['breaker x'])
  })
  test('not for those of another process, or twice', () => {
    expect(opened(failing(20, { by: 'q' }))).toEqual(['breaker'])
    expect(opened(failing(20).note(2.995, 'p', noticed('BREAKER_OPEN')))).toEqual(['breaker'])
  })
  test('and when it must: nothing starts behind the last of them', () => {
    expect(wrong(next(failing(20), 3.2))).toEqual(['breaker x'])
    expect(wrong(next(failing(19), 3.2))).toEqual([])
    // What has started at the same time as the last failed has not seen it.
    expect(wrong(next(failing(20), 3))).toEqual([])
  })
})

describe('while it is open', () => {
  const open = (): Story => failing(20).note(2.995, 'p', noticed('BREAKER_OPEN'))
  const tries = (of: Story, at: number, attempt = 1, until = at + 0.1): Story =>
    of
      .publish(0, 0.1, [`t${at}`])
      .run('p', { id: `t${at}`, attempt, settledAs: 'retry' }, at, until, 'failed')

  test('nothing starts for five seconds, then one event at a time', () => {
    expect(wrong(next(open(), 7.9))).toEqual(['breaker x'])
    expect(wrong(next(open(), 8))).toEqual([])
    expect(wrong(next(tries(open(), 8, 1, 9), 8.5))).toEqual(['breaker x'])
  })
  test('and after each that fails twice as long', () => {
    expect(wrong(next(tries(open(), 8), 18))).toEqual(['breaker x'])
    expect(wrong(next(tries(open(), 8), 18.1))).toEqual([])
    expect(wrong(next(tries(tries(open(), 8), 18.1), 38))).toEqual(['breaker x'])
    expect(wrong(next(tries(tries(open(), 8), 18.1), 38.2))).toEqual([])
  })
  test('after one that neither failed nor was handled, as long as before', () => {
    const deferred = (): Story => open().publish(0, 0.1, ['d']).run('p', 'd', 8, 8.1, 'deferred', 1)
    expect(wrong(next(deferred(), 13))).toEqual(['breaker x'])
    expect(wrong(next(deferred(), 13.1))).toEqual([])
  })
  test('other processes and queues go on', () => {
    expect(wrong(open().publish(0, 0.1, ['x']).run('q', 'x', 4, 5))).toEqual([])
    expect(wrong(open().publish(0, 0.1, ['x']).run('p', { id: 'x', queue: 'only-b' }, 4, 5))).toEqual([])
  })
  test('it closes when an event was handled, and not before', () => {
    const closed = (of: Story): Story => of.note(8.2, 'p', noticed('BREAKER_CLOSED'))
    expect(wrong(next(closed(next(open(), 8, 'ok')), 8.3))).toEqual([])
    expect(wrong(next(next(open(), 8, 'ok'), 8.3))).toEqual(['breaker x'])
    expect(wrong(closed(open()))).toEqual(['breaker'])
    expect(wrong(closed(tries(open(), 8)))).toEqual(['breaker'])
  })
})
