import { expect } from 'vitest'
import { refused } from '../refused.ts'
import type { LocksCase } from './bench.ts'

const names = [
  'a',
  'A',
  'a ',
  'a/b',
  'a.b',
  'a\u0000b',
  '\u00e9',
  'e\u0301',
  '☃',
  '__proto__',
  'k'.repeat(512),
]

/** Who gets a lock, and who does not. */
export const taking: readonly LocksCase[] = [
  {
    name: 'a lock that somebody holds is nobody else’s, until it is released',
    async run(bench) {
      for (const locks of [bench.locks, bench.other]) {
        const lock = await bench.take('a', {}, locks)
        expect([lock.name, lock.signal.aborted]).toEqual(['a', false])
        await bench.taken('a')
        await lock.release()
      }
      await (await bench.take('a')).release()
    },
  },
  {
    name: 'locks of different names are held side by side',
    async run(bench) {
      const held = []
      for (const name of names) held.push(await bench.take(name))
      for (const name of names) await bench.taken(name)
      for (const lock of held) await lock.release()
      for (const name of names) await bench.take(name, {}, bench.other)
    },
  },
  {
    name: 'of 20 who try at once one gets the lock',
    async run(bench) {
      for (let round = 0; round < 5; round++) {
        const tries = Array.from({ length: 20 }, (_, i) =>
          (i % 2 === 0 ? bench.locks : bench.other).tryAcquire(`round ${round}`),
        )
        const got = (await Promise.all(tries)).filter((lock) => lock !== undefined)
        expect(got).toHaveLength(1)
      }
    },
  },
  {
    name: 'a token is higher than all of its name before, however these ended',
    async run(bench) {
      const tokens: number[] = []
      for (let i = 0; i < 6; i++) {
        const locks = i % 2 === 0 ? bench.locks : bench.other
        const lock = await bench.acquire('a', {}, locks)
        tokens.push(lock.token)
        // Every third one is lost.
        if (i % 3 === 2) bench.time.standStill(2 * bench.ttl)
        else await lock.release()
      }
      expect(tokens.every(Number.isSafeInteger)).toBe(true)
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
      expect(new Set(tokens).size).toBe(tokens.length)
    },
  },
  {
    name: 'what is no name or time is refused',
    async run({ locks }) {
      for (const name of ['', 'k'.repeat(513), 'half \ud800']) {
        await refused(locks.tryAcquire(name), 'INVALID_KEY')
        await refused(locks.acquire(name), 'INVALID_KEY')
      }
      for (const ttl of [-1, Number.NaN, locks.features.shortestTtl - 1])
        await refused(locks.tryAcquire('a', { ttl }), 'INVALID_OPTION')
      await refused(locks.acquire('a', { wait: -1 }), 'INVALID_OPTION')
      // It waits, for one of which the answer took as long as that is none.
      expect(await locks.acquire('a', { ttl: locks.features.shortestTtl, wait: '30s' })).toBeDefined()
    },
  },
]
