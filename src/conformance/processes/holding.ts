import { expect } from 'vitest'
import type { ProcessCase } from './bench.ts'

const hour = 3_600_000

/** Processes that outlive their leases, and clocks that are set. */
export const holding: readonly ProcessCase[] = [
  {
    name: 'a process that was frozen beyond its lease and then succeeds leaves the event handled once more, and no trace',
    async run(bench) {
      const { holder, other } = await bench.holding({ lease: bench.lease })
      holder.signal('SIGSTOP')
      await bench.until('the event to come to the other', () => other.of('start').length > 0, other)
      other.tell('go')
      await bench.until('the other to end', () => other.of('end').length > 0, other)
      holder.tell('go')
      holder.signal('SIGCONT')
      await bench.until('the late one to end', () => holder.of('end').length > 0, holder)
      await bench.stop(holder)
      await bench.empty()
      expect(bench.all('start')).toHaveLength(2)
      expect(await bench.dead()).toEqual([])
    },
  },
  {
    name: 'a process that was frozen beyond its lease and then fails does not bring the event back',
    unless: ({ fencing }) => (fencing === 'none' ? `features.fencing is 'none'` : undefined),
    async run(bench) {
      const { holder, other } = await bench.holding({ lease: bench.lease })
      holder.signal('SIGSTOP')
      await bench.until('the event to come to the other', () => other.of('start').length > 0, other)
      // Both still run it: only whose lease it is tells whose failure counts.
      holder.tell('fail')
      holder.signal('SIGCONT')
      await bench.stop(holder)
      other.tell('go')
      await bench.empty()
      await bench.stop(other)
      expect(bench.all('start')).toHaveLength(2)
      expect(await bench.dead()).toEqual([])
    },
  },
  {
    name: 'an event loop that is blocked beyond the lease loses its events, and says so',
    async run(bench) {
      const { holder, other } = await bench.holding({ lease: bench.lease })
      holder.tell(`block ${3 * bench.lease}`)
      await bench.until('the event to come to the other', () => other.of('start').length > 0, other)
      other.tell('go')
      holder.tell('go')
      await bench.until('the blocked one to say so', () => saysLost(holder.of('log')), holder)
      await bench.empty()
      expect(await bench.dead()).toEqual([])
    },
  },
  {
    name: 'a wall clock that is set by an hour, forth or back, moves no lease',
    async run(bench) {
      const { holder, other } = await bench.holding({ lease: bench.lease })
      for (const by of [hour, -2 * hour]) {
        for (const worker of [holder, other]) worker.tell(`step ${by}`)
        const end = performance.now() + 2 * bench.lease
        await bench.until('two leases to pass', () => performance.now() > end, holder, other)
        expect(other.of('start'), 'events that were still held').toEqual([])
      }
      const died = performance.now()
      await holder.kill()
      await bench.until('the event to come back', () => other.of('start').length > 0, other)
      expect(performance.now() - died).toBeLessThan(bench.recovery)
      other.tell('go')
      await bench.empty()
    },
  },
]

function saysLost(log: readonly { readonly text?: string }[]): boolean {
  return log.some(({ text }) => text?.includes('LEASE_LOST'))
}
