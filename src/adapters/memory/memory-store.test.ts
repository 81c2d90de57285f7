import { expect, test } from 'vitest'
import { manualClock } from '../../clock/manual-clock.ts'
import { testStore } from '../../conformance/index.ts'
import { storeOn } from '../../contract/store-on.ts'
import { memoryStore } from './index.ts'
import { MemoryStore } from './memory-store.ts'

const clock = manualClock()

testStore('memory', { open: () => memoryStore() })
testStore('memory with a manual clock', { open: () => storeOn(new MemoryStore({ clock })), clock })

const unconditional = { ifAbsent: false, ifVersion: undefined }

test('what is over leaves the memory, a few at a time', async () => {
  const store = new MemoryStore({ clock })
  for (let i = 0; i < 100; i++) await store.put(`key ${i}`, 'value', 1_000 + i, unconditional)
  await store.put('for good', 'value', undefined, unconditional)
  clock.advance(2_000)
  expect(store.held).toBe(101)
  await store.get('nothing')
  expect(store.held).toBe(85)
  for (let i = 0; i < 6; i++) await store.get('nothing')
  expect(store.held).toBe(1)
})

test('it takes no more than there is room for, until something leaves', async () => {
  const store = new MemoryStore({ clock, room: 10_000 })
  const put = (key: string, ttl?: number) => store.put(key, 'x'.repeat(4_000), ttl, unconditional)
  await put('a', 1_000)
  const version = await put('b')
  await expect(put('c')).rejects.toMatchObject({ code: 'STORE_FULL' })
  await expect(put('b')).resolves.toMatchObject({ stored: true })
  expect((await store.get('b'))?.version).not.toBe(version)
  clock.advance(1_000)
  await expect(put('c')).resolves.toMatchObject({ stored: true })
})
