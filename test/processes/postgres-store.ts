import { postgresStore } from '../../src/adapters/postgres/index.ts'
import type { Store } from '../../src/contract/store.ts'

/** For the processes of the conformance suite: the place is the URL. */
export const open = (url: string, name: string): Store =>
  postgresStore({ connectionString: url, schema: 'stores', name })
