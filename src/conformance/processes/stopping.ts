import { expect } from 'vitest'
import { numbers } from '../harness.ts'
import { errandsOf, type ProcessCase } from './bench.ts'

const stopTimeout = 500

/** How processes end that are told to, and handlers that do not. */
export const stopping: readonly ProcessCase[] = [
  {
    name: 'a handler that ignores its signal does not hold up a stop, and its event comes back with its lease',
    async run(bench) {
      const options = { lease: bench.lease, stopTimeout }
      const first = await bench.start('consume', options)
      await bench.publish([{ n: 0, does: 'hang' }])
      await bench.until('the handler to start', () => first.of('start').length > 0, first)
      await bench.stop(first, stopTimeout)
      const stopped = first.of('stopped')[0]!.at
      const second = await bench.start('consume', options)
      await bench.until('the event to come back', () => second.of('start').length > 0, second)
      expect(second.of('start')[0]!.at - stopped).toBeLessThan(bench.recovery)
    },
  },
  {
    name: 'a handler that never ends fails at maxHandling, and the others get on meanwhile',
    async run(bench) {
      const worker = await bench.start('consume', {
        concurrency: 4,
        lease: bench.lease,
        maxHandling: 300,
        attempts: 2,
      })
      await bench.publish([{ n: 100, does: 'hang' }, ...errandsOf('work', 100, 1)])
      await bench.until('a dead letter', async () => (await bench.dead()).length > 0, worker)
      await bench.empty()
      expect(await bench.dead()).toEqual([100])
      expect(bench.numbers('end')).toEqual(numbers(100))
      expect(worker.of('start').filter(({ n }) => n === 100)).toHaveLength(2)
    },
  },
  {
    name: 'a stop in the middle of publishing and handling ends in time and loses nothing',
    async run(bench) {
      const first = await bench.start('both', { lease: bench.lease, concurrency: 4, stopTimeout })
      const middle = (): boolean => first.of('published').length > 300 && first.of('end').length > 100
      await bench.until('much to be under way', middle, first)
      await bench.stop(first, stopTimeout)
      await bench.start('consume', { lease: bench.lease })
      await bench.empty()
      const handled = new Set(bench.numbers('end'))
      expect(first.numbers('published').filter((n) => !handled.has(n))).toEqual([])
      expect(bench.numbers('end').length, 'some were handled twice').toBe(handled.size)
    },
  },
]
