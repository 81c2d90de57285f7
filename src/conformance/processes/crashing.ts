import { expect } from 'vitest'
import { numbers } from '../harness.ts'
import { errandsOf, type ProcessCase } from './bench.ts'

/** Processes that die in the middle of their work. */
export const crashing: readonly ProcessCase[] = [
  {
    name: 'the event of a consumer that was killed is back within the lease and 5 s, and no attempt was counted',
    async run(bench) {
      const { holder, other } = await bench.holding({ lease: bench.lease })
      const began = bench.all('start')[0]!.at
      await holder.kill()
      await bench.until('the event to come back', () => other.of('start').length > 0, other)
      const [back] = other.of('start')
      expect(back!.at - began).toBeLessThan(bench.recovery + 1_000)
      expect(back!.attempt).toBe(1)
      other.tell('go')
      await bench.empty()
      expect(await bench.dead()).toEqual([])
    },
  },
  {
    name: 'one event that kills every process that handles it is alone a dead letter, not one of its 100 neighbours',
    unless: ({ attempts }) => (attempts === 'failures' ? `features.attempts is 'failures'` : undefined),
    async run(bench) {
      const neighbours = errandsOf('work', 100, 1)
      const killer = { n: 100, does: 'kill' } as const
      await bench.publish([...neighbours.slice(0, 50), killer, ...neighbours.slice(50)])
      const options = { lease: bench.lease, attempts: 2 }
      for (let runs = 0; !(await bench.dead()).includes(100); runs++) {
        expect(runs, 'processes that the killer has killed').toBeLessThanOrEqual(4)
        const worker = await bench.start('consume', options)
        let gone = false
        void worker.gone.then(() => (gone = true))
        await bench.until('a death or a dead letter', async () => gone || (await bench.dead()).length > 0)
      }
      await bench.start('consume', options)
      await bench.empty()
      expect(await bench.dead()).toEqual([100])
      expect([...new Set(bench.numbers('end'))]).toEqual(numbers(100))
      // Two count; the first, among the neighbours, may have been anybody's fault.
      expect(bench.numbers('start').filter((n) => n === 100).length).toBeLessThanOrEqual(3)
    },
  },
  {
    name: 'what a publisher was told is taken is there after it was killed',
    async run(bench) {
      const publisher = await bench.start('publish')
      await bench.until('300 publishes', () => publisher.of('published').length >= 300, publisher)
      await publisher.kill()
      await bench.start('consume')
      await bench.empty()
      const handled = new Set(bench.numbers('end'))
      expect(publisher.numbers('published').filter((n) => !handled.has(n))).toEqual([])
      expect(bench.numbers('end').length, 'some were handled twice').toBe(handled.size)
    },
  },
  {
    name: 'a consumer that was killed with a backlog leaves it to the next, who repeats only what was not settled',
    async run(bench) {
      await bench.publish(errandsOf('work', 1_000, 2))
      const options = { lease: bench.lease, concurrency: 8 }
      const first = await bench.start('consume', options)
      await bench.until('300 events', () => first.of('end').length >= 300, first)
      await first.kill()
      const second = await bench.start('consume', options)
      await bench.empty()
      expect([...new Set(bench.numbers('end'))]).toEqual(numbers(1_000))
      const lastLine = first.lines.at(-1)!.at
      const early = new Set(first.of('end').flatMap(({ n, at }) => (at < lastLine - 1_500 ? [n] : [])))
      expect(second.numbers('start').filter((n) => early.has(n))).toEqual([])
      expect(second.numbers('start').length).toBe(new Set(second.numbers('start')).size)
    },
  },
]
