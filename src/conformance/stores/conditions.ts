import { expect } from 'vitest'
import type { PutOptions, Store } from '../../contract/store.ts'
import { refused } from '../refused.ts'
import { unlessAtomic, type StoreBench, type StoreCase } from './bench.ts'
import { countUp } from './counting.ts'

/** Writes that happen only if nothing has happened before. */
export const conditions: readonly StoreCase[] = [
  {
    name: 'ifAbsent stores only where nothing is, and changes nothing else',
    unless: unlessAtomic,
    async run(bench) {
      const first = await bench.put('a', 'first', { ifAbsent: true })
      await notStored(bench, bench.other, { ifAbsent: true }, 'first')
      expect((await bench.entry('a')).version).toBe(first)
      await bench.store.delete('a')
      await bench.put('a', 'second', { ifAbsent: true }, bench.other)
      expect(await bench.value('a')).toBe('second')
      await bench.put('a', 'third', { ifAbsent: false })
      expect(await bench.value('a')).toBe('third')
    },
  },
  {
    name: 'ifVersion stores only over that version, and changes nothing else',
    unless: unlessAtomic,
    async run(bench) {
      const first = await bench.put('a', 'first')
      expect((await bench.entry('a')).version).toBe(first)
      const second = await bench.put('a', 'second', { ifVersion: first }, bench.other)
      expect(await bench.value('a')).toBe('second')
      await notStored(bench, bench.store, { ifVersion: first }, 'second')
      await notStored(bench, bench.store, { ifVersion: 'never given' }, 'second')
      expect((await bench.entry('a')).version).toBe(second)
      await bench.store.delete('a')
      await notStored(bench, bench.store, { ifVersion: second }, undefined)
    },
  },
  {
    name: 'a key never has a version twice, whatever was put and deleted',
    async run(bench) {
      const versions: string[] = []
      for (let i = 0; i < 5; i++) {
        versions.push(await bench.put('a', 'the same'))
        versions.push(await bench.put('a', 'the same', {}, bench.other))
        await bench.store.delete('a')
      }
      expect(new Set(versions).size).toBe(versions.length)
    },
  },
  {
    name: 'delete and touch with ifVersion strike only that version',
    unless: unlessAtomic,
    async run(bench) {
      const first = await bench.put('a', 'first')
      const second = await bench.put('a', 'second')
      expect(await bench.other.delete('a', { ifVersion: first })).toBe(false)
      expect(await bench.other.touch('a', bench.ttl, { ifVersion: first })).toBeUndefined()
      await bench.expire()
      expect((await bench.entry('a')).version).toBe(second)
      const touched = await bench.store.touch('a', '1h', { ifVersion: second })
      if (touched === undefined) expect.fail('the version that is there was not touched')
      expect((await bench.entry('a')).version, 'touch gave another version').toBe(touched)
      expect(await bench.store.delete('a', { ifVersion: touched })).toBe(true)
      expect(await bench.value('a')).toBeUndefined()
    },
  },
  {
    name: 'of 20 who put the same key at once, if it is absent, one does',
    unless: unlessAtomic,
    async run(bench) {
      for (let round = 0; round < 5; round++) {
        const key = `key ${round}`
        const results = await Promise.all(
          twenty(bench, (store, i) => store.put(key, `value ${i}`, { ifAbsent: true })),
        )
        const winners = results.flatMap(({ stored }, i) => (stored ? [`value ${i}`] : []))
        expect(winners).toHaveLength(1)
        expect(await bench.value(key)).toBe(winners[0])
      }
    },
  },
  {
    name: '20 who count up one entry at once, each over the version it read, lose no count',
    unless: unlessAtomic,
    async run(bench) {
      await bench.put('count', '0')
      await Promise.all(twenty(bench, (store) => countUp(store, 'count')))
      expect(await bench.value('count')).toBe('20')
    },
  },
  {
    name: 'of 20 who delete or replace the same version at once one does',
    unless: unlessAtomic,
    async run(bench) {
      const ifVersion = await bench.put('a', 'first')
      const done = await Promise.all(
        twenty(bench, async (store, i) =>
          i % 2 === 0
            ? await store.delete('a', { ifVersion })
            : (await store.put('a', `value ${i}`, { ifVersion })).stored,
        ),
      )
      expect(done.filter(Boolean)).toHaveLength(1)
    },
  },
  {
    name: 'conditions that cannot be meant are refused, and nothing is changed',
    unless: unlessAtomic,
    async run(bench) {
      const version = await bench.put('a', 'first')
      const both = { ifAbsent: true, ifVersion: version } as unknown as PutOptions
      // What `entry?.version` is of an entry that is not there.
      const none = { ifVersion: undefined } as unknown as { ifVersion: string }
      await refused(bench.store.put('a', 'x', both), 'INVALID_OPTION')
      await refused(bench.store.put('a', 'x', none), 'INVALID_OPTION')
      await refused(bench.store.touch('a', 1, none), 'INVALID_OPTION')
      await refused(bench.store.delete('a', none), 'INVALID_OPTION')
      expect(await bench.value('a')).toBe('first')
    },
  },
  {
    name: 'a store that is not atomic refuses every condition, and changes nothing',
    unless: ({ atomic }) => (atomic ? 'features.atomic is true' : undefined),
    async run(bench) {
      const ifVersion = await bench.put('a', 'first')
      await refused(bench.store.put('a', 'x', { ifVersion }), 'UNSUPPORTED')
      await refused(bench.store.put('b', 'x', { ifAbsent: true }), 'UNSUPPORTED')
      await refused(bench.store.touch('a', 1, { ifVersion }), 'UNSUPPORTED')
      await refused(bench.store.delete('a', { ifVersion }), 'UNSUPPORTED')
      expect(await bench.value('a')).toBe('first')
      expect(await bench.value('b')).toBeUndefined()
    },
  },
]

function twenty<T>(
  { store, other }: StoreBench,
  run: (store: Store, i: number) => Promise<T>,
): readonly Promise<T>[] {
  return Array.from({ length: 20 }, (_, i) => run(i % 3 === 0 ? other : store, i))
}

/** Expects that the put is refused by its condition, tells nothing wrong, and leaves what is there. */
async function notStored(
  bench: StoreBench,
  store: Store,
  options: PutOptions,
  there: string | undefined,
): Promise<void> {
  const result = await store.put('a', 'wrong', options)
  if (result.stored) expect.fail('it was stored against its condition')
  const entry = await bench.store.get('a')
  expect(entry?.value).toBe(there)
  if (result.current !== undefined) expect(result.current).toEqual(entry)
}
