import { expect, test } from 'vitest'
import { manualClock } from '../clock/manual-clock.ts'
import { Rates, type HandledCount } from './rates.ts'

type Counts = ReadonlyMap<number, HandledCount>

const inTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what many settled is written once a second, each queue for itself', async () => {
  const clock = manualClock()
  const written: Counts[] = []
  const rates = new Rates(clock, async (counts) => written.push(counts))
  rates.count(1, 2, 1)
  rates.count(2, 0, 0)
  rates.count(1, 3, 0)
  clock.advance(999)
  await inTurn()
  expect(written).toEqual([])
  clock.advance(1)
  await rates.flush()
  expect(written).toEqual([new Map([[1, { handled: 5, failed: 1 }]])])
})

test('what is counted during a write comes with the next one', async () => {
  const written: Counts[] = []
  const rates: Rates = new Rates(manualClock(), async (counts) => {
    if (written.push(counts) === 1) rates.count(1, 0, 1)
    await inTurn()
  })
  rates.count(1, 1, 0)
  await rates.flush()
  await rates.flush()
  expect(written).toEqual([
    new Map([[1, { handled: 1, failed: 0 }]]),
    new Map([[1, { handled: 0, failed: 1 }]]),
  ])
})

test('what could not be written comes with what is counted next, and wakes nobody until then', async () => {
  const clock = manualClock()
  const written: Counts[] = []
  let tries = 0
  const rates = new Rates(clock, async (counts) => {
    if (++tries === 1) throw new Error('The disk is full')
    written.push(counts)
  })
  rates.count(1, 1, 0)
  await expect(rates.flush()).rejects.toThrow('The disk is full')
  clock.advance(10_000)
  await inTurn()
  expect(tries).toBe(1)
  rates.count(1, 1, 1)
  clock.advance(1_000)
  await inTurn()
  expect(written).toEqual([new Map([[1, { handled: 2, failed: 1 }]])])
})
