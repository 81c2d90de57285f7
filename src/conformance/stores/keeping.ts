import { expect } from 'vitest'
import type { Raw } from '../../event/payload.ts'
import { refused } from '../refused.ts'
import type { StoreCase } from './bench.ts'

const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i)
const values: readonly Raw[] = [
  'text',
  '',
  '{"total":12345678901234567890}',
  'zero \u0000 and one \u0001, ☃ 𝄞 é é, a byte order mark \uFEFF',
  '\uFEFF first',
  '1',
  'NULL',
  everyByte,
  new Uint8Array(0),
  new TextEncoder().encode('bytes that are text'),
  'long '.repeat(20_000),
]
const keys = [
  'a',
  'A',
  ' a',
  'a ',
  '*',
  'a/b',
  'a/b/',
  '/a/b',
  'a\\b',
  'a.b',
  'a:b',
  '..',
  'a%2Fb',
  "a'b",
  'a"b',
  'a\u0000b',
  'a\nb',
  '\u00e9',
  'e\u0301',
  '☃',
  '__proto__',
  'constructor',
  '1',
  '01',
  'k'.repeat(512),
  '𝄞'.repeat(128),
]

/** What is there, and what is not. */
export const keeping: readonly StoreCase[] = [
  {
    name: 'a value is there as it was put: text as text, bytes as bytes',
    async run(bench) {
      for (const [i, value] of values.entries()) await bench.put(`key ${i}`, value)
      for (const [i, value] of values.entries()) {
        const found = await bench.value(`key ${i}`)
        expect(typeof found).toBe(typeof value)
        if (typeof value === 'string') expect(found).toBe(value)
        else expect([...(found as Uint8Array)]).toEqual([...value])
      }
    },
  },
  {
    name: 'what was never put is not there',
    async run(bench) {
      await bench.put('a', '1')
      expect(await bench.value('b')).toBeUndefined()
      expect(await bench.store.delete('b')).toBe(false)
      expect(await bench.store.touch('b', '1h')).toBeUndefined()
      expect(await bench.value('b')).toBeUndefined()
    },
  },
  {
    name: 'a put replaces what was there, text and bytes alike',
    async run(bench) {
      for (const value of ['one', 'two', everyByte, 'three', '']) {
        await bench.put('a', value)
        expect(await bench.value('a')).toEqual(value)
        await bench.put('a', value, {}, bench.other)
        expect(await bench.value('a')).toEqual(value)
      }
    },
  },
  {
    name: 'what was deleted is gone',
    async run(bench) {
      await bench.put('a', '1')
      await bench.put('b', '2')
      expect(await bench.store.delete('a')).toBe(true)
      expect(await bench.value('a')).toBeUndefined()
      expect(await bench.value('b')).toBe('2')
      expect(await bench.other.delete('a')).toBe(false)
    },
  },
  {
    name: 'keys are equal only if each character is',
    async run(bench) {
      for (const [i, key] of keys.entries()) await bench.put(key, `value ${i}`)
      for (const [i, key] of keys.entries()) expect(await bench.value(key), key).toBe(`value ${i}`)
      for (const key of keys) expect(await bench.store.delete(key), key).toBe(true)
    },
  },
  {
    name: 'bytes are copied on the way in and on the way out',
    async run(bench) {
      const bytes = new Uint8Array([1, 2, 3])
      const putting = bench.put('a', bytes)
      bytes.fill(9)
      await putting
      for (let i = 0; i < 2; i++) {
        const { value } = await bench.entry('a')
        expect([...(value as Uint8Array)]).toEqual([1, 2, 3])
        ;(value as Uint8Array).fill(9)
      }
    },
  },
  {
    name: 'stores of different names have keys of their own',
    async run(bench) {
      const another = await bench.another()
      await bench.put('a', 'mine')
      expect(await another.get('a')).toBeUndefined()
      await bench.put('a', 'its', {}, another)
      expect(await bench.value('a')).toBe('mine')
      expect(await another.delete('a')).toBe(true)
      expect(await bench.value('a')).toBe('mine')
    },
  },
  {
    name: 'the largest value fits; one byte more is refused, and nothing is changed',
    unless: ({ maxBytes }) =>
      maxBytes > 64 * 1024 * 1024 ? 'features.maxBytes is too much for a test' : undefined,
    async run(bench) {
      const { maxBytes } = bench.store.features
      await bench.put('bytes', new Uint8Array(maxBytes).fill(7))
      await bench.put('text', 'x'.repeat(maxBytes))
      const wrong: readonly Raw[] = [
        new Uint8Array(maxBytes + 1),
        'x'.repeat(maxBytes + 1),
        'é'.repeat(maxBytes / 2 + 1),
      ]
      for (const value of wrong) {
        await refused(bench.store.put('bytes', value), 'VALUE_TOO_LARGE')
        await refused(bench.store.put('none', value), 'VALUE_TOO_LARGE')
      }
      expect((await bench.entry('bytes')).value.length).toBe(maxBytes)
      expect((await bench.entry('text')).value.length).toBe(maxBytes)
      expect(await bench.store.get('none')).toBeUndefined()
    },
  },
  {
    name: 'what is no key, value or time is refused',
    async run({ store }) {
      for (const key of ['', 'k'.repeat(513), 'é'.repeat(257), 'half \ud800', 7 as unknown as string]) {
        await refused(store.put(key, 'x'), 'INVALID_KEY')
        await refused(store.get(key), 'INVALID_KEY')
        await refused(store.touch(key, '1h'), 'INVALID_KEY')
        await refused(store.delete(key), 'INVALID_KEY')
      }
      for (const value of ['half \ud800', 7, undefined, { a: 1 }])
        await refused(store.put('a', value as Raw), 'INVALID_VALUE')
      for (const ttl of [0, -1, Number.NaN]) {
        await refused(store.put('a', 'x', { ttl }), 'INVALID_OPTION')
        await refused(store.touch('a', ttl), 'INVALID_OPTION')
      }
      expect(await store.get('a')).toBeUndefined()
    },
  },
]
