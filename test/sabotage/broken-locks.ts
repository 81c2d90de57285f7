import type { Lock, Locks, LocksDriver } from '../../src/contract/locks.ts'

/** How locks are broken. What is not named works as in memory. */
export interface LocksSabotage {
  readonly locks?: (inner: Locks) => Partial<Locks>
  readonly lock?: (inner: Lock, driver: LocksDriver) => Partial<Lock>
}

/** One way to be wrong, and the cases of the suite that must notice. */
export interface LocksProof {
  readonly by: LocksSabotage
  readonly caughtBy: readonly string[]
}

/** Locks that do everything as the inner ones do, except what the sabotage names. */
export function brokenLocks(inner: Locks, driver: LocksDriver, by: LocksSabotage): Locks {
  const parts = {
    acquire: inner.acquire.bind(inner),
    tryAcquire: inner.tryAcquire.bind(inner),
    close: inner.close.bind(inner),
    ...by.locks?.(inner),
  }
  return {
    system: 'broken',
    features: inner.features,
    close: parts.close,
    acquire: async (name, options) => brokenLock(await parts.acquire(name, options), driver, by),
    async tryAcquire(name, options) {
      const lock = await parts.tryAcquire(name, options)
      return lock && brokenLock(lock, driver, by)
    },
    [Symbol.asyncDispose]: () => parts.close(),
  }
}

function brokenLock(inner: Lock, driver: LocksDriver, by: LocksSabotage): Lock {
  const release = (): Promise<void> => inner.release()
  const lock: Lock = {
    name: inner.name,
    token: inner.token,
    get signal() {
      return inner.signal
    },
    extend: (ttl) => inner.extend(ttl),
    release,
    [Symbol.asyncDispose]: release,
  }
  // Not spread: `signal` has to stay what it is.
  return Object.defineProperties(lock, Object.getOwnPropertyDescriptors(by.lock?.(inner, driver) ?? {}))
}

const each = (change: (inner: Lock, driver: LocksDriver) => Partial<Lock>): LocksSabotage => ({
  lock: change,
})
const { signal: never } = new AbortController()
let last = 0

/** Wrong ways to hold locks. */
export const locks: Readonly<Record<string, LocksProof>> = {
  'lets everybody in': {
    by: {
      locks: (inner) => ({
        acquire: (name, options) => inner.acquire(`${name} ${++last}`, options),
        tryAcquire: (name, options) => inner.tryAcquire(`${name} ${++last}`, options),
      }),
      lock: ({ name }) => ({ name: name.slice(0, name.lastIndexOf(' ')) }),
    },
    caughtBy: [
      'a lock that somebody holds is nobody else’s, until it is released',
      'of 20 who try at once one gets the lock',
      'who waits gets the lock when it is released, and not before',
      'acquire gives up after `wait`, not before, and says that the lock is taken',
      'many who wait get it one after the other, each of them',
      'a lock is renewed while it is held: it outlives its ttl',
    ],
  },
  'takes capitals and small letters for the same': {
    by: {
      locks: (inner) => ({ tryAcquire: (name, options) => inner.tryAcquire(name.toLowerCase(), options) }),
    },
    caughtBy: ['locks of different names are held side by side'],
  },
  'does not release': {
    by: each(() => ({ release: async () => {}, [Symbol.asyncDispose]: async () => {} })),
    caughtBy: [
      'a lock that somebody holds is nobody else’s, until it is released',
      'who waits gets the lock when it is released, and not before',
      'many who wait get it one after the other, each of them',
      '`await using` releases the lock at the end of its block',
    ],
  },
  'counts tokens down': {
    by: each(({ token }) => ({ token: 1_000 - token })),
    caughtBy: ['a token is higher than all of its name before, however these ended'],
  },
  'gives everybody the same token': {
    by: each(() => ({ token: 1 })),
    caughtBy: [
      'a token is higher than all of its name before, however these ended',
      'many who wait get it one after the other, each of them',
    ],
  },
  'has a lock for what has no name': {
    by: {
      locks: (inner) => ({ tryAcquire: (name, options) => inner.tryAcquire(name || 'nothing', options) }),
    },
    caughtBy: ['what is no name or time is refused'],
  },
  'makes a ttl that is too short longer': {
    by: {
      locks: (inner) => ({
        tryAcquire: (name, { ttl = '30s', ...options } = {}) =>
          inner.tryAcquire(name, { ...options, ttl: typeof ttl === 'number' && ttl >= 0 ? ttl + 10 : ttl }),
      }),
    },
    caughtBy: ['what is no name or time is refused'],
  },
  'waits for ever': {
    by: {
      locks: (inner) => ({ acquire: (name, { signal = never } = {}) => inner.acquire(name, { signal }) }),
    },
    caughtBy: ['acquire gives up after `wait`, not before, and says that the lock is taken'],
  },
  'does not wait': {
    by: { locks: (inner) => ({ acquire: (name, options) => inner.acquire(name, { ...options, wait: 0 }) }) },
    caughtBy: [
      'acquire gives up after `wait`, not before, and says that the lock is taken',
      'who waits gets the lock when it is released, and not before',
      'close ends who waits; then everything but closing is STOPPED',
    ],
  },
  'ends the call at its signal, and goes on behind it': {
    by: {
      locks: (inner) => ({
        async acquire(name, { signal = never, ...options } = {}) {
          const aborted = new Promise<never>((_, reject) => {
            const stop = (): void => void inner.acquire(name, { signal }).catch(reject)
            if (signal.aborted) stop()
            else signal.addEventListener('abort', stop)
          })
          return await Promise.race([inner.acquire(name, options), aborted])
        },
      }),
    },
    caughtBy: ['an aborted signal ends the wait, and nothing is held by it later'],
  },
  'ends a lock at the signal that it was asked for with': {
    by: {
      locks: (inner) => ({
        async tryAcquire(name, options) {
          const lock = await inner.tryAcquire(name, options)
          options?.signal?.addEventListener('abort', () => void lock?.release())
          return lock
        },
      }),
    },
    caughtBy: ['a signal that is aborted later leaves a lock that was taken alone'],
  },
  'does not renew': {
    by: each((inner, driver) => {
      const extend = driver.extend.bind(driver)
      driver.extend = async (name, token, ttl) =>
        name === inner.name ? true : await extend(name, token, ttl)
      return {}
    }),
    caughtBy: [
      'a lock is renewed while it is held: it outlives its ttl',
      'extend holds the lock through a standstill, and renewal goes on after it',
    ],
  },
  'does not notice that it is lost': {
    by: each(() => ({ signal: never })),
    caughtBy: [
      'who stood still for longer than the ttl has lost the lock, and sees it at once',
      'close releases what is held and tells its holders',
      'a lock of what was closed is lost: its signal says so, and its calls do no harm',
    ],
  },
  'releases whoever has it': {
    by: each((inner, driver) => {
      const release = async (): Promise<void> => {
        await inner.release()
        for (let token = 1; token < 10; token++) await driver.release(inner.name, token)
      }
      return { release, [Symbol.asyncDispose]: release }
    }),
    caughtBy: ['what is lost or released cannot be extended, and its release strikes nobody else'],
  },
  'extends what is lost without a word': {
    by: each((inner) => ({ extend: (ttl) => inner.extend(ttl).catch(() => undefined) })),
    caughtBy: [
      'what is lost or released cannot be extended, and its release strikes nobody else',
      'a lock of what was closed is lost: its signal says so, and its calls do no harm',
    ],
  },
  'does not extend': {
    by: each(() => ({ extend: async () => {} })),
    caughtBy: ['extend holds the lock through a standstill, and renewal goes on after it'],
  },
  'lets a shorter extend take time away': {
    by: each((inner, driver) => ({
      extend: async (ttl) => void (await driver.extend(inner.name, inner.token, Number(ttl))),
    })),
    caughtBy: ['a shorter extend takes no time away'],
  },
  'does not close': {
    by: { locks: () => ({ close: async () => {} }) },
    caughtBy: [
      'close releases what is held and tells its holders',
      'a lock of what was closed is lost: its signal says so, and its calls do no harm',
      'close ends who waits; then everything but closing is STOPPED',
    ],
  },
}
