import { expect } from 'vitest'
import { longTtl, unlessAtomic, type StoreBench, type StoreCase } from './bench.ts'

/** Entries that stay for a time. */
export const expiring: readonly StoreCase[] = [
  {
    name: 'an entry stays until its ttl is over, never less, and is gone then',
    async run(bench) {
      const began = bench.time.clock.monotonic()
      await bench.put('a', 'short', { ttl: bench.ttl })
      await bench.put('b', 'long', { ttl: longTtl })
      while ((await bench.store.get('a')) !== undefined) {
        const passed = bench.time.clock.monotonic() - began
        expect(passed, 'it is still there').toBeLessThan(bench.ttl + bench.patience)
        await bench.time.pass(10)
      }
      expect(bench.time.clock.monotonic() - began, 'it was gone early').toBeGreaterThanOrEqual(
        bench.ttl - slack(bench),
      )
      expect(await bench.value('b')).toBe('long')
    },
  },
  {
    name: 'once its ttl is over an entry is as if it had never been, for every call',
    async run(bench) {
      for (const key of ['get', 'touch', 'delete', 'put']) await bench.put(key, 'old', { ttl: bench.ttl })
      await bench.expire()
      expect(await bench.value('get')).toBeUndefined()
      expect(await bench.store.touch('touch', longTtl)).toBeUndefined()
      expect(await bench.value('touch')).toBeUndefined()
      expect(await bench.store.delete('delete')).toBe(false)
      await bench.put('put', 'new')
      await bench.expire()
      expect(await bench.value('put')).toBe('new')
    },
  },
  {
    name: 'once its ttl is over, ifAbsent finds nothing there, and ifVersion not that version',
    unless: unlessAtomic,
    async run(bench) {
      await bench.put('absent', 'old', { ttl: bench.ttl })
      const ifVersion = await bench.put('version', 'old', { ttl: bench.ttl })
      await bench.expire()
      expect(await bench.store.put('version', 'new', { ifVersion })).toMatchObject({ stored: false })
      expect(await bench.store.delete('version', { ifVersion })).toBe(false)
      expect(await bench.store.touch('version', longTtl, { ifVersion })).toBeUndefined()
      await bench.put('absent', 'new', { ifAbsent: true })
      expect(await bench.value('absent')).toBe('new')
      const again = await bench.put('version', 'old', { ifAbsent: true })
      expect(again, 'a version came twice').not.toBe(ifVersion)
    },
  },
  {
    name: 'a put says how long the value stays, whatever was said before',
    async run(bench) {
      await bench.time.within(bench.ttl, async () => {
        await bench.put('for good', 'old', { ttl: bench.ttl })
        await bench.put('for good', 'new')
        await bench.put('longer', 'old', { ttl: bench.ttl })
        await bench.put('longer', 'new', { ttl: longTtl })
      })
      await bench.put('shorter', 'old')
      await bench.put('shorter', 'new', { ttl: bench.ttl })
      await bench.expire()
      expect(await bench.value('for good')).toBe('new')
      expect(await bench.value('longer')).toBe('new')
      expect(await bench.value('shorter')).toBeUndefined()
    },
  },
  {
    name: 'touch makes an entry stay for longer, or for less, and leaves its value',
    async run(bench) {
      await bench.time.within(bench.ttl, async () => {
        await bench.put('longer', 'value', { ttl: bench.ttl })
        await bench.store.touch('longer', longTtl)
      })
      await bench.put('shorter', 'value', { ttl: longTtl })
      await bench.put('at all', 'value')
      expect(await bench.other.touch('shorter', bench.ttl)).toBeDefined()
      expect(await bench.other.touch('at all', bench.ttl)).toBeDefined()
      await bench.expire()
      expect(await bench.value('longer')).toBe('value')
      expect(await bench.value('shorter')).toBeUndefined()
      expect(await bench.value('at all')).toBeUndefined()
    },
  },
  {
    name: 'many entries that expire take none with them that does not',
    async run(bench) {
      const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)
      const short = keys.filter((_, i) => i % 3 !== 0)
      await Promise.all(
        keys.map((key) => bench.put(key, key, { ttl: short.includes(key) ? bench.ttl : longTtl })),
      )
      await bench.expire()
      for (const key of keys) {
        await bench.put(`new ${key}`, 'new')
        expect(await bench.value(key)).toBe(short.includes(key) ? undefined : key)
      }
    },
  },
]

/** A server's clock may differ in speed; a clock of this machine by the rounding of a millisecond. */
function slack({ store }: StoreBench): number {
  return store.features.clock === 'server' ? 50 : 1
}
