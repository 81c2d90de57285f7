import { expectTypeOf, test } from 'vitest'
import { memoryLocks, memoryStore } from '../../src/adapters/memory/index.ts'
import { postgresLocks, postgresStore } from '../../src/adapters/postgres/index.ts'
import { sqliteLocks, sqliteStore } from '../../src/adapters/sqlite/index.ts'
import type { Entry, Lock, Locks, Store } from '../../src/contract/index.ts'

/* What the compiler knows of stores and locks. */

test('every system gives the same store and the same locks', () => {
  expectTypeOf(memoryStore()).toEqualTypeOf<Store>()
  expectTypeOf(sqliteStore('a.db')).toEqualTypeOf<Store>()
  expectTypeOf(postgresStore('postgres://localhost/shop')).toEqualTypeOf<Store>()
  expectTypeOf(memoryLocks()).toEqualTypeOf<Locks>()
  expectTypeOf(sqliteLocks({ path: 'a.db', name: 'jobs' })).toEqualTypeOf<Locks>()
  expectTypeOf(postgresLocks({ schema: 'shop', name: 'jobs' })).toEqualTypeOf<Locks>()
})

test('a put tells the version it stored, or what is there instead', async () => {
  const result = await memoryStore().put('a', 'value', { ifAbsent: true, ttl: '1d' })
  if (result.stored) expectTypeOf(result.version).toEqualTypeOf<string>()
  else expectTypeOf(result.current).toEqualTypeOf<Entry | undefined>()
  // @ts-expect-error -- nobody knows yet whether it was stored
  void result.version
})

test('a put has one condition, and a condition has a version', () => {
  const store = memoryStore()
  void store.put('a', new Uint8Array(1), { ifVersion: '1' })
  // @ts-expect-error
  void store.put('a', 'value', { ifAbsent: true, ifVersion: '1' })
  // @ts-expect-error -- an entry that is not there has none
  void store.delete('a', { ifVersion: undefined })
  // @ts-expect-error -- encode it first
  void store.put('a', { total: 1 })
})

test('a lock may be asked for without waiting, and then is perhaps none', () => {
  const locks = memoryLocks()
  expectTypeOf(locks.acquire('a', { wait: '5s' })).resolves.toEqualTypeOf<Lock>()
  expectTypeOf(locks.tryAcquire('a')).resolves.toEqualTypeOf<Lock | undefined>()
  expectTypeOf<Lock>().toExtend<AsyncDisposable>()
  // @ts-expect-error -- it does not wait
  void locks.tryAcquire('a', { wait: '5s' })
})
