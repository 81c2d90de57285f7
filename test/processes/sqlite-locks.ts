import { sqliteLocks } from '../../src/adapters/sqlite/index.ts'
import type { Locks } from '../../src/contract/locks.ts'

/** For the processes of the conformance suite: the place is the path of the file. */
export const open = (path: string, name: string): Locks => sqliteLocks({ path, name })
