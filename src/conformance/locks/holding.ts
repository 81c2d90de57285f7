import { expect } from 'vitest'
import type { Lock } from '../../contract/locks.ts'
import { isMillraceError } from '../../errors/millrace-error.ts'
import { refused } from '../refused.ts'
import type { LocksCase } from './bench.ts'

/** A lock from its taking to its end. */
export const holding: readonly LocksCase[] = [
  {
    name: 'a lock is renewed while it is held: it outlives its ttl',
    async run(bench) {
      const lock = await bench.take('a', { ttl: bench.ttl })
      for (let i = 0; i < 3; i++) {
        await bench.time.pass(bench.ttl)
        await bench.taken('a')
        expect(lock.signal.aborted).toBe(false)
      }
    },
  },
  {
    name: 'who stood still for longer than the ttl has lost the lock, and sees it at once',
    async run(bench) {
      const lock = await bench.take('a', { ttl: bench.ttl })
      const { signal } = lock
      const told = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      bench.time.standStill(bench.ttl + 10)
      lostAtOnce(lock)
      await bench.time.soon('the signal to tell', told)
      const next = await bench.acquire('a')
      expect(next.token).toBeGreaterThan(lock.token)
    },
  },
  {
    name: 'what is lost or released cannot be extended, and its release strikes nobody else',
    async run(bench) {
      const lost = await bench.take('a', { ttl: bench.ttl })
      const released = await bench.take('b')
      bench.time.standStill(bench.ttl + 10)
      await released.release()
      const next = [await bench.acquire('a', { ttl: '1h' }), await bench.acquire('b', { ttl: '1h' })]
      for (const lock of [lost, released]) {
        await refused(lock.extend('1h'), 'LOCK_LOST')
        await lock.release()
        await lock[Symbol.asyncDispose]()
      }
      for (const name of ['a', 'b']) await bench.taken(name)
      expect(next.map(({ signal }) => signal.aborted)).toEqual([false, false])
      expect(released.signal.aborted, 'a release is no loss').toBe(false)
    },
  },
  {
    name: 'extend holds the lock through a standstill, and renewal goes on after it',
    async run(bench) {
      const lock = await bench.take('a', { ttl: bench.ttl })
      await lock.extend(3 * bench.ttl)
      bench.time.standStill(1.5 * bench.ttl)
      expect(lock.signal.aborted).toBe(false)
      await bench.taken('a')
      await bench.time.pass(3 * bench.ttl)
      expect(lock.signal.aborted).toBe(false)
      await bench.taken('a')
    },
  },
  {
    name: 'a shorter extend takes no time away',
    async run(bench) {
      const lock = await bench.take('a', { ttl: 2 * bench.ttl })
      await lock.extend(1)
      bench.time.standStill(bench.ttl)
      expect(lock.signal.aborted).toBe(false)
      await bench.taken('a')
    },
  },
  {
    name: '`await using` releases the lock at the end of its block',
    async run(bench) {
      for (let i = 0; i < 2; i++) {
        await using lock = await bench.take('a')
        expect(lock.signal.aborted).toBe(false)
        await bench.taken('a')
      }
      await bench.take('a', {}, bench.other)
    },
  },
]

/** In the same turn as the standstill ended, before any timer could tell. */
function lostAtOnce({ signal }: Lock): void {
  expect(signal.aborted).toBe(true)
  expect(isMillraceError(signal.reason, 'LOCK_LOST')).toBe(true)
}
