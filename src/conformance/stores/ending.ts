import { expect } from 'vitest'
import { refused } from '../refused.ts'
import { later } from '../time.ts'
import type { StoreCase } from './bench.ts'

/** Calls that are aborted, and stores that are closed. */
export const ending: readonly StoreCase[] = [
  {
    name: 'a call that is aborted beforehand does nothing and says so',
    async run({ store }) {
      await store.put('a', 'first')
      const signal = AbortSignal.abort(new Error('no more'))
      await refused(store.put('a', 'x', { signal }), 'ABORTED')
      await refused(store.get('a', { signal }), 'ABORTED')
      await refused(store.touch('a', 1, { signal }), 'ABORTED')
      await refused(store.delete('a', { signal }), 'ABORTED')
      expect((await store.get('a'))?.value).toBe('first')
    },
  },
  {
    name: 'calls with a signal that is aborted later work as others do',
    async run({ store }) {
      const abort = new AbortController()
      const { signal } = abort
      expect(await store.put('a', 'first', { signal })).toMatchObject({ stored: true })
      expect((await store.get('a', { signal }))?.value).toBe('first')
      expect(await store.touch('a', '1h', { signal })).toBeDefined()
      expect(await store.delete('a', { signal })).toBe(true)
      abort.abort()
      expect(await store.get('a')).toBeUndefined()
    },
  },
  {
    name: 'close lets what is under way end; then everything but closing is STOPPED',
    async run(bench) {
      const store = await bench.another()
      const putting = later(store.put('a', 'first'))
      await store.close()
      expect(await putting).toMatchObject({ stored: true })
      await refused(store.put('a', 'x'), 'STOPPED')
      await refused(store.get('a'), 'STOPPED')
      await refused(store.touch('a', 1), 'STOPPED')
      await refused(store.delete('a'), 'STOPPED')
      await store.close()
      await store[Symbol.asyncDispose]()
    },
  },
  {
    name: 'what one instance put is there when it is closed',
    unless: (_features, { reopen }) => (reopen === undefined ? 'there is no other instance' : undefined),
    async run(bench) {
      await bench.put('a', 'first')
      await bench.store.close()
      expect((await bench.other.get('a'))?.value).toBe('first')
    },
  },
]
