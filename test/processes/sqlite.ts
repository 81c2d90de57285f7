import { sqlite } from '../../src/adapters/sqlite/index.ts'

/** For the processes of the conformance suite: the place is the path of the file. */
export const open = sqlite
