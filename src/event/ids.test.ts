import { afterEach, describe, expect, test, vi } from 'vitest'
import { derivedId, newId } from './ids.ts'

const millisecondOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

describe('newId', () => {
  afterEach(() => void vi.useRealTimers())

  test('is a UUID of version 7 with the present millisecond in front', () => {
    vi.useFakeTimers({ now: Date.now() + 1_000, toFake: ['Date'] })
    const id = newId()
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(millisecondOf(id)).toBe(Date.now())
  })

  test('10,000 of one millisecond ascend and differ', () => {
    vi.useFakeTimers({ now: Date.now() + 60_000, toFake: ['Date'] })
    const ids = Array.from({ length: 10_000 }, newId)
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids).size).toBe(10_000)
    expect(millisecondOf(ids.at(-1) as string) - millisecondOf(ids[0] as string)).toBe(2)
  })

  test('ids ascend when the wall clock goes back, and follow it when it has caught up', () => {
    vi.useFakeTimers({ now: Date.now() + 3_600_000, toFake: ['Date'] })
    const before = newId()
    vi.setSystemTime(Date.now() - 1_800_000)
    const back = Array.from({ length: 5_000 }, newId)
    expect([before, ...back].toSorted()).toEqual([before, ...back])
    vi.setSystemTime(Date.now() + 7_200_000)
    const later = newId()
    expect(later > (back.at(-1) as string)).toBe(true)
    expect(millisecondOf(later)).toBe(Date.now())
  })
})

describe('derivedId', () => {
  test('is a UUID of version 8, the same for the same parts', () => {
    expect(derivedId('parent', 'billing', 'invoice')).toBe(derivedId('parent', 'billing', 'invoice'))
    expect(derivedId('parent', 'billing', 'invoice')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
  })

  test.each([
    [
      ['a', 'bc'],
      ['ab', 'c'],
    ],
    [['a'], ['a', '']],
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    [['1:a'], ['a']],
  ])('%j and %j differ', (one, other) => {
    expect(derivedId(...one)).not.toBe(derivedId(...other))
  })
})
