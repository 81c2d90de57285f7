import { locksOn } from '../../contract/locks-on.ts'
import type { Locks } from '../../contract/locks.ts'
import { storeOn } from '../../contract/store-on.ts'
import type { Store } from '../../contract/store.ts'
import type { Transport } from '../../contract/transport.ts'
import { MemoryLocks } from './memory-locks.ts'
import { MemoryStore } from './memory-store.ts'
import { MemoryTransport } from './memory-transport.ts'

/**
 * A transport in the memory of this process, for tests and for work that may die with the process.
 * It keeps every promise of the contract except durability, and serialises as a real one does.
 * @example const app = millrace({ transport: memory() })
 */
export function memory(): Transport<never> {
  return new MemoryTransport()
}

/**
 * A store in the memory of this process: each call makes another one. It takes no more (STORE_FULL) while it holds 512 MiB.
 * @example const store = memoryStore()
 */
export function memoryStore(): Store {
  return storeOn(new MemoryStore())
}

/**
 * Locks in the memory of this process, between those who share the object: each call makes others.
 * @example await using lock = await locks.acquire('nightly-report')
 */
export function memoryLocks(): Locks {
  return locksOn(new MemoryLocks())
}
