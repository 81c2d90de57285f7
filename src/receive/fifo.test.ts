import { expect, test } from 'vitest'
import { Fifo } from './fifo.ts'

test('what came first goes first, whenever more comes', () => {
  const fifo = new Fifo<number>()
  expect([fifo.peek(), fifo.shift()]).toEqual([undefined, undefined])
  fifo.push(1)
  fifo.push(2)
  expect([fifo.peek(), fifo.shift()]).toEqual([1, 1])
  fifo.push(3)
  expect([fifo.shift(), fifo.peek(), fifo.shift(), fifo.shift()]).toEqual([2, 3, 3, undefined])
})

test('drain gives the rest in its order and leaves nothing', () => {
  const fifo = new Fifo<number>()
  for (const n of [1, 2, 3]) fifo.push(n)
  fifo.shift()
  fifo.push(4)
  expect(fifo.drain()).toEqual([2, 3, 4])
  expect([fifo.peek(), fifo.drain()]).toEqual([undefined, []])
})
