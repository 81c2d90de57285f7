import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap, type HeapItem } from './heap.ts'
import { Line } from './line.ts'
import { Entry, type StoredEvent } from './stored-event.ts'

interface Item extends HeapItem {
  rank: number
}

test('a heap gives its items in their order, whatever is moved or removed in between', () => {
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom('push', 'pop', 'move', 'remove'), rank: fc.nat(50) }),
  )
  fc.assert(
    fc.property(steps, (list) => {
      const heap = new Heap<Item>((a, b) => a.rank < b.rank)
      const model: Item[] = []
      for (const { kind, rank } of list) {
        const picked = model[rank % model.length]
        if (kind === 'push') {
          const item = { rank, slot: -1 }
          model.push(item)
          heap.push(item)
        } else if (picked === undefined) {
          expect(heap.pop()).toBe(undefined)
        } else if (kind === 'pop') {
          const first = heap.pop()
          expect(first?.rank).toBe(Math.min(...model.map((one) => one.rank)))
          model.splice(model.indexOf(first as Item), 1)
        } else if (kind === 'move') {
          picked.rank = 50 - rank
          heap.moved(picked)
        } else {
          heap.remove(picked)
          model.splice(model.indexOf(picked), 1)
        }
        expect(heap.size).toBe(model.length)
      }
      const rest = model.map(() => heap.pop()?.rank)
      expect(rest).toEqual(model.map((one) => one.rank).toSorted((a, b) => a - b))
    }),
  )
})

test('a line gives its entries by their sequence, new ones and those that come back', () => {
  const steps = fc.array(fc.constantFrom('new', 'take', 'give back'), { maxLength: 200 })
  fc.assert(
    fc.property(steps, fc.nat(), (list, seed) => {
      const line = new Line()
      const waiting = new Set<Entry>()
      const taken: Entry[] = []
      let sequence = 0
      for (const step of list) {
        const back = step === 'give back' ? taken.splice(seed % Math.max(taken.length, 1), 1)[0] : undefined
        if (step === 'take') {
          const first = line.shift()
          const lowest = [...waiting].toSorted((a, b) => a.sequence - b.sequence)[0]
          expect(first).toBe(lowest)
          if (first !== undefined) taken.push(first)
          if (first !== undefined) waiting.delete(first)
        } else if (step === 'new' || back !== undefined) {
          const entry = back ?? new Entry({ sequence: ++sequence } as StoredEvent)
          line.push(entry)
          waiting.add(entry)
        }
      }
    }),
  )
})
