import { SqliteLocks } from '../../src/adapters/sqlite/sqlite-locks.ts'
import { systemClock, type Clock } from '../../src/clock/clock.ts'
import { locksOn } from '../../src/contract/locks-on.ts'
import type { Locks, LocksDriver } from '../../src/contract/locks.ts'
import { brokenLocks, type LocksSabotage } from '../sabotage/broken-locks.ts'

interface Flaw {
  readonly clock?: Clock
  readonly driver?: (inner: LocksDriver) => Partial<LocksDriver>
  readonly by?: LocksSabotage
}

/** Ways in which locks can break their word between processes; `open('FLAW:PATH', name)` gives sqlite's with one of them. */
export const flaws: Readonly<Record<string, Flaw>> = {
  none: {},
  'gives each process a lock of its own': {
    driver: (inner) => ({ take: (name, ttl) => inner.take(`${name} ${process.pid}`, ttl) }),
  },
  'counts tokens in each process': {
    driver: (inner) => {
      const tokens: number[] = []
      return {
        async take(name, ttl) {
          const taken = await inner.take(name, ttl)
          return 'token' in taken ? { token: tokens.push(taken.token) - 1 } : taken
        },
        extend: (name, token, ttl) => inner.extend(name, tokens[token]!, ttl),
        release: (name, token) => inner.release(name, tokens[token]!),
      }
    },
  },
  'holds a lock for much longer than its ttl': {
    driver: (inner) => ({
      take: (name, ttl) => inner.take(name, 100 * ttl),
      extend: (name, token, ttl) => inner.extend(name, token, 100 * ttl),
    }),
  },
  'counts by the wall clock': { clock: { ...systemClock, monotonic: () => Date.now() } },
  'does not tell that a lock is lost': {
    by: { lock: () => ({ signal: new AbortController().signal }) },
  },
  'frees the lock of the next with a late release': {
    by: {
      lock: (inner, driver) => ({
        async release() {
          await inner.release()
          if (inner.signal.aborted) await driver.release(inner.name, inner.token + 1)
        },
      }),
    },
  },
}

export function open(place: string, name: string): Locks {
  const at = place.indexOf(':')
  const { clock = systemClock, driver: change, by = {} } = flaws[place.slice(0, at)]!
  const options = { path: place.slice(at + 1), name, durability: 'fsync', busyLimit: 10_000, clock } as const
  const inner = new SqliteLocks(options)
  const driver: LocksDriver = {
    system: inner.system,
    features: inner.features,
    take: (lock, ttl) => inner.take(lock, ttl),
    extend: (lock, token, ttl) => inner.extend(lock, token, ttl),
    release: (lock, token) => inner.release(lock, token),
    close: () => inner.close(),
    ...change?.(inner),
  }
  return brokenLocks(locksOn(driver, clock), driver, by)
}
