import { describe, expect, test } from 'vitest'
import { Story } from './story.ts'

/** An event that died at once. */
const died = (): Story => new Story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, 'fatal')
const broken = (of: Story): readonly string[] => of.broken

describe('what was put back', () => {
  test('is handled, or a dead letter again', () => {
    expect(broken(died().redrive(3, 3.1, ['a']))).toEqual(['handled a'])
    expect(broken(died().redrive(3, 3.1, ['a']).run('p', 'a', 4, 5))).toEqual([])
    expect(broken(died().redrive(3, 3.1, ['a']).run('p', 'a', 4, 5, 'fatal').dead('a', 5))).toEqual([])
  })
  test('comes again once for each time it was', () => {
    const once = (): Story => died().redrive(3, 3.1, ['a']).run('p', 'a', 4, 5)
    expect(once().judge().counts).toMatchObject({ redriven: 1, repeats: { redriven: 1 } })
    expect(broken(once().run('p', 'a', 6, 7))).toEqual(['starts a'])
    expect(broken(died().run('p', 'a', 2.9, 5))).toContain('starts a')
    expect(broken(died().redrive(3, 3.1, ['a']).run('p', 'a', 2.9, 5))).toContain('starts a')
    expect(broken(died().redrive(3, 3.1, ['b']).run('p', 'a', 4, 5))).toContain('starts a')
  })
  test('perhaps, if nobody got an answer', () => {
    expect(broken(died().redrive(3, undefined, ['a']).dead('a', 2))).toEqual([])
    expect(broken(died().redrive(3, undefined, ['a']).run('p', 'a', 4, 5))).toEqual([])
    const twice = (): Story => died().redrive(3, undefined, ['a']).redrive(4, 4.1, ['a']).run('p', 'a', 5, 6)
    expect(broken(twice())).toEqual([])
    // The first had no effect, for nothing came of it before the second.
    expect(broken(twice().run('p', 'a', 7, 8))).toEqual(['starts a'])
    expect(broken(twice().run('p', 'a', 7, 8).on({ settlement: 'recorded' }))).toEqual([])
  })
  test('begins with attempt 1, and has all of them', () => {
    const again = (attempt: number): Story =>
      new Story()
        .publish(0, 0.1, ['a'])
        .run('p', 'a', 1, 1.5, 'failed')
        .run('p', { id: 'a', attempt: 2 }, 2, 2.5, 'failed')
        .run('p', { id: 'a', attempt: 3 }, 3, 3.5, 'failed')
        .redrive(4, 4.1, ['a'])
        .run('p', { id: 'a', attempt }, 5, 6)
    expect(broken(again(1))).toEqual([])
    expect(broken(again(2))).toEqual(['attempts a'])
    expect(broken(again(4))).toContain('attempts a')
  })
  test('is two events where it came again besides, because its letter was written and that was not committed', () => {
    const both = (): Story =>
      died()
        .kill('p', 2.1)
        .redrive(3, 3.1, ['a'])
        .run('q', { id: 'a', attempt: 1 }, 4, 5, 'failed')
        .run('r', { id: 'a', attempt: 1 }, 4.5, 6)
        .run('q', { id: 'a', attempt: 2 }, 7, 8)
    expect(broken(both().on({ settlement: 'recorded' }))).toEqual([])
    expect(broken(both())).toEqual(['starts a', 'overlap a', 'attempts a'])
  })
  test('dies again only for a reason', () => {
    const again = died().redrive(3, 3.1, ['a']).run('p', 'a', 4, 5, 'failed')
    expect(broken(again.dead('a', 6))).toEqual(['dead a'])
    const alive = new Story().publish(0, 0.1, ['a']).run('p', 'a', 1, 2, 'failed')
    expect(broken(alive.redrive(3, 3.1, ['a']).run('p', 'a', 4, 5))).toEqual(['dead a'])
  })
  test('is all that was named', () => {
    const few = (): Story => died().redrive(3, 3.1, ['a'], { count: 0 }).dead('a', 2)
    expect(broken(few())).toEqual(['redriven a'])
    expect(broken(few().on({ settlement: 'recorded' }))).toEqual([])
  })
  test('is the event that took its place, from then on and not before', () => {
    const replaced = (first: boolean, second: boolean): readonly string[] =>
      broken(
        died()
          .redrive(3, 3.1, ['a'], { replaces: true })
          .run('p', { id: 'a', replaced: first }, 4, 5, 'failed')
          .run('p', { id: 'a', attempt: 2, replaced: second }, 6, 7),
      )
    expect(replaced(true, true)).toEqual([])
    expect(replaced(false, false)).toEqual(['redriven a'])
    expect(replaced(true, false)).toEqual(['redriven a'])
    expect(broken(died().redrive(3, 3.1, ['a']).run('p', { id: 'a', replaced: true }, 4, 5))).toEqual([
      'redriven a',
    ])
  })
  test('does not wait as if it had failed', () => {
    const story = new Story().publish(0, 0.1, ['a'])
    for (const attempt of [1, 2, 3])
      story.run('p', { id: 'a', attempt }, attempt, attempt + 0.5, 'failed', attempt < 3 ? 0 : 9)
    expect(broken(story.redrive(5, 5.1, ['a']).run('p', 'a', 6, 7))).toEqual([])
  })
})
