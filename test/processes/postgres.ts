import { postgres } from '../../src/adapters/postgres/index.ts'

/** For the processes of the conformance suite: the place is the URL. */
export const open = postgres
