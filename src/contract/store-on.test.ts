import { expect, test } from 'vitest'
import { storeOn } from './store-on.ts'
import type { Entry, StoreDriver, StoreFeatures } from './store.ts'

const features: StoreFeatures = {
  durable: 'memory',
  atomic: true,
  clock: 'process',
  ttlResolution: 1,
  maxBytes: 100,
  processes: false,
}

/** Stands in for a system that answers late: the tests say when. */
function slowDriver() {
  const answer = Promise.withResolvers<Entry | undefined>()
  const log: string[] = []
  const get = (): Promise<Entry | undefined> => {
    log.push('asked')
    return answer.promise.finally(() => log.push('answered'))
  }
  const driver: StoreDriver = {
    system: 'slow',
    features,
    get,
    put: async () => ({ stored: true, version: '1' }),
    touch: async () => '1',
    delete: async () => true,
    close: async () => void log.push('closed'),
  }
  return { store: storeOn(driver), answer, log }
}

test('a signal ends a call at once, with its reason, whatever the system does', async () => {
  const { store, answer, log } = slowDriver()
  const abort = new AbortController()
  const reason = new Error('no more')
  const call = store.get('a', { signal: abort.signal })
  abort.abort(reason)
  await expect(call).rejects.toMatchObject({ code: 'ABORTED', cause: reason })
  expect(log).toEqual(['asked'])
  // Nobody listens any more: it is not to become an unhandled rejection.
  answer.reject(new Error('connection lost'))
  await store.close()
})

test('close waits for what is under way, also for what was aborted, and closes the system once', async () => {
  const { store, answer, log } = slowDriver()
  const abort = new AbortController()
  const calls = [store.get('a'), store.get('b', { signal: abort.signal })]
  abort.abort()
  await expect(calls[1]).rejects.toMatchObject({ code: 'ABORTED' })
  const closing = [store.close(), store.close()]
  await expect(store.get('c')).rejects.toMatchObject({ code: 'STOPPED' })
  answer.resolve({ value: 'value', version: '1' })
  expect(await calls[0]).toEqual({ value: 'value', version: '1' })
  await Promise.all(closing)
  expect(log).toEqual(['asked', 'asked', 'answered', 'answered', 'closed'])
})

test('what the system says is what the caller hears', async () => {
  const { store, answer } = slowDriver()
  answer.reject(new Error('connection lost'))
  await expect(store.get('a')).rejects.toThrow('connection lost')
})
