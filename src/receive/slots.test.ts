import { expect, test } from 'vitest'
import { Slots } from './slots.ts'

test('as many as there are, and those who wait come first', () => {
  const slots = new Slots(2)
  const ran: string[] = []
  expect(slots.tryTake()).toBe(true)
  slots.take(() => ran.push('second'))
  expect(slots.tryTake()).toBe(false)
  slots.take(() => ran.push('third'))
  slots.take(() => ran.push('fourth'))
  expect(ran).toEqual(['second'])
  slots.giveBack()
  expect(ran).toEqual(['second', 'third'])
  expect(slots.tryTake()).toBe(false)
  for (let i = 0; i < 3; i++) slots.giveBack()
  expect([slots.tryTake(), slots.tryTake(), slots.tryTake()]).toEqual([true, true, false])
})
