import { beforeEach, expect, test } from 'vitest'
import { manualClock, type ManualClock } from '../clock/manual-clock.ts'
import { locksOn } from './locks-on.ts'
import type { Locks, LocksDriver, Taken } from './locks.ts'

/** Stands in for a system that fails, or answers late, when a test says so. */
let driver: { -readonly [K in keyof LocksDriver]: LocksDriver[K] }
let log: string[]
let clock: ManualClock
let locks: Locks

beforeEach(() => {
  log = []
  clock = manualClock()
  driver = {
    system: 'unreliable',
    features: { durable: 'process', clock: 'server', shortestTtl: 1, processes: true },
    take: async () => ({ token: 1 }),
    extend: async (_name, _token, ttl) => log.push(`extend ${ttl}`) > 0,
    release: async (_name, token) => void log.push(`release ${token}`),
    close: async () => void log.push('close'),
  }
  locks = locksOn(driver, clock)
})

/** Lets a timer's work be done. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function pass(ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 10) {
    clock.advance(10)
    await turn()
  }
}

test('it is renewed each third of the ttl', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  await pass(990)
  expect(log).toEqual([])
  await pass(10)
  expect(log).toEqual(['extend 3000'])
  await pass(10_000)
  expect(log).toHaveLength(11)
  expect(lock.signal.aborted).toBe(false)
})

test('a renewal that fails is tried again, and costs nothing while one succeeds in time', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  const { extend } = driver
  driver.extend = () => Promise.reject(new Error('connection lost'))
  await pass(2_400)
  expect(lock.signal.aborted).toBe(false)
  driver.extend = extend
  await pass(10_000)
  expect(lock.signal.aborted).toBe(false)
})

test('a lock that cannot be renewed is lost a tenth before others may take it', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  let told = false
  lock.signal.addEventListener('abort', () => (told = true))
  driver.extend = () => Promise.reject(new Error('connection lost'))
  await pass(2_690)
  expect(told).toBe(false)
  await pass(10)
  expect(told).toBe(true)
  expect(lock.signal.reason).toMatchObject({ code: 'LOCK_LOST' })
  await expect(lock.extend('1h')).rejects.toMatchObject({ code: 'LOCK_LOST' })
  expect(clock.nextIn, 'a timer is left behind').toBeUndefined()
})

test('a system that does not answer holds up no loss', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  const answer = Promise.withResolvers<boolean>()
  driver.extend = () => answer.promise
  await pass(2_700)
  expect(lock.signal.aborted).toBe(true)
  answer.resolve(true)
  await turn()
  expect(clock.nextIn).toBeUndefined()
})

test('what the system says of a lock is believed at once', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  driver.extend = async () => false
  await pass(1_000)
  expect(lock.signal.aborted).toBe(true)
})

test('an extend that fails leaves the lock as it was', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  const { extend } = driver
  driver.extend = () => Promise.reject(new Error('connection lost'))
  await expect(lock.extend('1h')).rejects.toThrow('connection lost')
  driver.extend = extend
  await pass(5_000)
  expect(lock.signal.aborted).toBe(false)
})

test('a renewal under way does not overtake an extend, and takes nothing from it', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  const answer = Promise.withResolvers<boolean>()
  const { extend } = driver
  driver.extend = () => answer.promise
  await pass(1_000)
  driver.extend = extend
  const extended = lock.extend('1h')
  await turn()
  expect(log).toEqual([])
  answer.resolve(true)
  await extended
  await pass(1_000)
  expect(log[0]).toBe('extend 3600000')
  expect(Number(log[1]?.slice(7))).toBeGreaterThan(3_590_000)
})

test('a release waits for the renewal under way, so that this cannot come behind it', async () => {
  const lock = await locks.acquire('a', { ttl: 3_000 })
  const answer = Promise.withResolvers<boolean>()
  driver.extend = () => answer.promise
  await pass(1_000)
  const released = lock.release()
  await turn()
  expect(log).toEqual([])
  answer.resolve(true)
  await released
  expect(log).toEqual(['release 1'])
  expect(clock.nextIn).toBeUndefined()
})

test.each(['signal', 'close'])(
  'what is taken after the end of its call, by %s, is given back',
  async (by) => {
    const answer = Promise.withResolvers<Taken>()
    driver.take = () => answer.promise
    const abort = new AbortController()
    const call = locks.acquire('a', { signal: abort.signal })
    const ended = expect(call).rejects.toMatchObject({ code: by === 'signal' ? 'ABORTED' : 'STOPPED' })
    if (by === 'signal') abort.abort()
    const closed = by === 'close' ? locks.close() : undefined
    answer.resolve({ token: 7 })
    await ended
    await closed
    expect(log).toEqual(by === 'close' ? ['release 7', 'close'] : ['release 7'])
    expect(clock.nextIn).toBeUndefined()
  },
)

test('a lock whose taking took as long as its ttl was not taken', async () => {
  const { take } = driver
  driver.take = async () => {
    driver.take = take
    clock.advance(3_000)
    return { token: 1 }
  }
  expect(await locks.tryAcquire('a', { ttl: 3_000 })).toBeUndefined()
  expect((await locks.acquire('a', { ttl: 3_000 })).signal.aborted).toBe(false)
})

test('close tells of a release that failed, and closes the system all the same', async () => {
  const lock = await locks.acquire('a')
  driver.release = () => Promise.reject(new Error('connection lost'))
  await expect(locks.close()).rejects.toThrow('connection lost')
  expect(log).toEqual(['close'])
  expect(lock.signal.reason).toMatchObject({ code: 'STOPPED' })
})

test('a release that fails says so; the lock is then left to its end', async () => {
  const lock = await locks.acquire('a')
  driver.release = () => Promise.reject(new Error('connection lost'))
  await expect(lock.release()).rejects.toThrow('connection lost')
  expect(clock.nextIn).toBeUndefined()
})
