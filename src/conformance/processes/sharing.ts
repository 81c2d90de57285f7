import { expect } from 'vitest'
import { numbers } from '../harness.ts'
import { errandsOf, type ProcessBench, type ProcessCase } from './bench.ts'

/** Several processes on one queue. */
export const sharing: readonly ProcessCase[] = [
  ...[2, 4].map((count): ProcessCase => ({
    name: `${count} processes on one queue: each event is handled once, by one of them`,
    async run(bench) {
      const workers = await Promise.all(numbers(count).map(() => bench.start('consume', { concurrency: 4 })))
      await bench.publish(errandsOf('work', 400, 5))
      await bench.until('400 events', () => bench.all('end').length >= 400, ...workers)
      await bench.empty()
      await Promise.all(workers.map((worker) => bench.stop(worker)))
      expect(bench.numbers('start')).toEqual(numbers(400))
      expect(workers.filter((worker) => worker.of('start').length === 0).length, 'idle workers').toBe(0)
    },
  })),
  {
    name: 'processes that come and go cleanly hand everything over: nothing is handled twice',
    async run(bench) {
      await bench.publish(errandsOf('work', 1_000, 10), (n) => `key ${n % 50}`)
      const options = { concurrency: 8 }
      const first = await bench.start('consume', options)
      await bench.until('100 events', () => first.of('end').length >= 100, first)
      const second = await bench.start('consume', options)
      await bench.until('200 events', () => bench.all('end').length >= 200, first, second)
      await bench.stop(first)
      const third = await bench.start('consume', options)
      await bench.empty()
      await Promise.all([bench.stop(second), bench.stop(third)])
      expect(bench.numbers('start')).toEqual(numbers(1_000))
      expect(bench.numbers('end')).toEqual(numbers(1_000))
    },
  },
  {
    name: 'events of one key run one after the other, in whichever process',
    order: true,
    unless: ({ order }) => (order === 'none' ? `features.order is 'none'` : undefined),
    async run(bench) {
      const options = { order: { by: 'key' }, concurrency: 8 } as const
      const workers = [await bench.start('consume', options), await bench.start('consume', options)]
      await bench.publish(errandsOf('work', 400, 2), keyOf)
      await bench.until('400 events', () => bench.all('end').length >= 400, ...workers)
      expect(outOfOrder(bench)).toEqual([])
    },
  },
]

const keyOf = (n: number): string => `key ${n % 7}`

/** What started while, or was numbered below, another one of its key. */
function outOfOrder(bench: ProcessBench): readonly string[] {
  const breaches: string[] = []
  const ends = new Map(bench.all('end').map(({ n, at }) => [n!, at]))
  const before = new Map<string, { readonly n: number; readonly end: number }>()
  for (const { n = -1, at } of bench.all('start')) {
    const last = before.get(keyOf(n))
    if (last !== undefined && last.n > n) breaches.push(`${n} after ${last.n}`)
    if (last !== undefined && last.end > at) breaches.push(`${n} while ${last.n} ran`)
    before.set(keyOf(n), { n, end: ends.get(n)! })
  }
  return breaches
}
