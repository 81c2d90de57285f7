import { postgresLocks } from '../../src/adapters/postgres/index.ts'
import type { Locks } from '../../src/contract/locks.ts'

/** For the processes of the conformance suite: the place is the URL. */
export const open = (url: string, name: string): Locks =>
  postgresLocks({ connectionString: url, schema: 'stores', name })
