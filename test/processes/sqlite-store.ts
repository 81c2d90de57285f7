import { sqliteStore } from '../../src/adapters/sqlite/index.ts'
import type { Store } from '../../src/contract/store.ts'

/** For the processes of the conformance suite: the place is the path of the file. */
export const open = (path: string, name: string): Store => sqliteStore({ path, name })
