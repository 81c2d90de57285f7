import { describe, expect, test } from 'vitest'
import { Appetite } from './appetite.ts'
import type { QueueRuntime } from './queue-runtime.ts'

const MiB = 2 ** 20
const claim = 128

/** One that looks only at these of a queue. */
function appetite(prefetch?: number, concurrency = 16, largestBatch = 0): Appetite {
  return new Appetite({ settings: { prefetch, concurrency }, largestBatch } as QueueRuntime, 0)
}

function takes(of: Appetite, n: number, bytes: number): void {
  for (let i = 0; i < n; i++) of.took(bytes)
}

function gives(of: Appetite, n: number, bytes: number): void {
  for (let i = 0; i < n; i++) of.gave(bytes)
}

describe('small events', () => {
  test('the first exchange asks for what can run; from then on for twice that', () => {
    const one = appetite()
    expect(one.wanted(claim, 0)).toBe(16)
    takes(one, 16, 100)
    expect(one.wanted(claim, 0)).toBe(16)
    takes(one, 16, 100)
    expect(one.wanted(claim, 0)).toBe(0)
  })

  test('a batch needs its events at the first exchange, too', () => {
    expect(appetite(undefined, 1, 100).wanted(claim, 0)).toBe(100)
  })

  test('quick handlers have more ready, up to twice the claim', () => {
    const one = appetite()
    takes(one, 16, 100)
    gives(one, 16, 100)
    one.measure(10)
    expect(one.wanted(claim, 0)).toBe(128)
  })
})

describe('large events', () => {
  test('no more are taken ahead than 32 MiB, whatever the prefetch', () => {
    const one = appetite(128, 2)
    expect(one.wanted(claim, 0)).toBe(2)
    takes(one, 2, 4 * MiB)
    expect(one.wanted(claim, 0)).toBe(6)
    takes(one, 6, 4 * MiB)
    expect(one.wanted(claim, 0)).toBe(0)
    gives(one, 1, 4 * MiB)
    expect(one.wanted(claim, 0)).toBe(1)
  })

  test('what may run at once is taken all the same', () => {
    const one = appetite(undefined, 16)
    takes(one, 10, 10 * MiB)
    expect(one.wanted(claim, 0)).toBe(6)
    takes(one, 6, 10 * MiB)
    expect(one.wanted(claim, 0)).toBe(0)
  })

  test('when small ones come again, more are asked for again', () => {
    const one = appetite(1_000, 2)
    takes(one, 2, 100)
    takes(one, 1, 10 * MiB)
    gives(one, 1, 10 * MiB)
    const soon = one.wanted(claim, 0)
    expect(soon).toBeLessThan(10)
    takes(one, 400, 100)
    expect(one.wanted(claim, 0)).toBe(128)
  })

  test('events without data take no memory', () => {
    const one = appetite(50)
    takes(one, 16, 0)
    expect(one.wanted(claim, 0)).toBe(34)
  })
})
