import type { Transport } from '../../contract/transport.ts'
import { MemoryTransport } from './memory-transport.ts'

/**
 * A transport in the memory of this process, for tests and for work that may die with the process.
 * It keeps every promise of the contract except durability, and serialises as a real one does.
 * @example const app = millrace({ transport: memory() })
 */
export function memory(): Transport<never> {
  return new MemoryTransport()
}
