import { expect } from 'vitest'
import { refused } from '../refused.ts'
import { later } from '../time.ts'
import type { LocksCase } from './bench.ts'

/** Waiting for a lock that somebody holds. */
export const waiting: readonly LocksCase[] = [
  {
    name: 'who waits gets the lock when it is released, and not before',
    async run(bench) {
      const holder = await bench.take('a', { ttl: bench.ttl })
      let got = false
      const acquired = later(
        bench.other.acquire('a').then((lock) => {
          got = true
          return lock
        }),
      )
      await bench.time.pass(2 * bench.ttl)
      expect(got, 'two have the lock').toBe(false)
      await holder.release()
      const lock = await bench.time.soon('the lock', acquired)
      expect(lock.token).toBeGreaterThan(holder.token)
      await bench.taken('a')
    },
  },
  {
    name: 'acquire gives up after `wait`, not before, and says that the lock is taken',
    async run(bench) {
      const holder = await bench.take('a')
      const began = bench.time.clock.monotonic()
      await bench.time.soon(
        'acquire to give up',
        refused(bench.other.acquire('a', { wait: 100 }), 'LOCK_TAKEN'),
      )
      expect(bench.time.clock.monotonic() - began).toBeGreaterThanOrEqual(99)
      await bench.time.soon(
        'acquire to give up',
        refused(bench.other.acquire('a', { wait: 0 }), 'LOCK_TAKEN'),
      )
      await holder.release()
      await bench.acquire('a', { wait: 0 })
    },
  },
  {
    name: 'an aborted signal ends the wait, and nothing is held by it later',
    async run(bench) {
      const holder = await bench.take('a')
      const abort = new AbortController()
      const ended = later(refused(bench.other.acquire('a', { signal: abort.signal }), 'ABORTED'))
      await bench.time.pass(20)
      abort.abort(new Error('no more'))
      await bench.time.soon('acquire to end', ended)
      await refused(bench.other.tryAcquire('b', { signal: abort.signal }), 'ABORTED')
      await refused(bench.other.acquire('b', { signal: abort.signal }), 'ABORTED')
      await holder.release()
      // Whoever still waits would have it by then.
      await bench.time.pass(300)
      await bench.take('a')
      await bench.take('b')
    },
  },
  {
    name: 'a signal that is aborted later leaves a lock that was taken alone',
    async run(bench) {
      const abort = new AbortController()
      const lock = await bench.take('a', { ttl: bench.ttl, signal: abort.signal })
      abort.abort()
      await bench.time.pass(2 * bench.ttl)
      expect(lock.signal.aborted).toBe(false)
      await bench.taken('a')
    },
  },
  {
    name: 'many who wait get it one after the other, each of them',
    async run(bench) {
      let inside = 0
      let most = 0
      const turns = Array.from({ length: 8 }, async (_, i) => {
        const lock = await (i % 2 === 0 ? bench.locks : bench.other).acquire('a')
        most = Math.max(most, ++inside)
        await bench.time.pass(5)
        inside--
        await lock.release()
        return lock.token
      })
      const tokens = await bench.time.soon('all of them', Promise.all(turns))
      expect(new Set(tokens).size).toBe(8)
      expect(most).toBe(1)
    },
  },
]
