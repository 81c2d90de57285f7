import { describe, expect, it } from 'vitest'
import { Bag, type BagItem } from './bag.ts'

class Thing implements BagItem {
  slot = -1
}

function things(count: number): readonly Thing[] {
  return Array.from({ length: count }, () => new Thing())
}

function filled(items: readonly Thing[]): Bag<Thing> {
  const bag = new Bag<Thing>()
  for (const item of items) bag.add(item)
  return bag
}

describe('a bag', () => {
  it('has what came and did not go, whichever goes first', () => {
    const items = things(7)
    for (const order of [items, items.toReversed(), items.toSorted((a, b) => (a.slot % 3) - (b.slot % 3))]) {
      const bag = filled(items)
      order.forEach((item, gone) => {
        expect(bag.delete(item)).toBe(true)
        const left = order.slice(gone + 1)
        expect(new Set(bag.values())).toEqual(new Set(left))
        expect(bag.size).toBe(left.length)
      })
    }
  })

  it('does not have what was never in, or has gone, whatever stands in its place now', () => {
    const [first, second, third] = things(3) as [Thing, Thing, Thing]
    const bag = filled([first, second])
    expect(bag.delete(third)).toBe(false)
    bag.delete(first)
    expect([first, second, third].map((item) => bag.has(item))).toEqual([false, true, false])
    expect(bag.delete(first)).toBe(false)
    expect(bag.values()).toEqual([second])
  })

  it('can be emptied by who looks through it', () => {
    const items = things(5)
    const bag = filled(items)
    for (const item of bag.values()) bag.delete(item)
    expect(bag.size).toBe(0)
  })
})
