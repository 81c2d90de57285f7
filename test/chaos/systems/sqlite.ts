import { join } from 'node:path'
import type { ChaosSystem } from './system.ts'

/** One file that all processes share. There is no server that could be disturbed. */
export const sqlite: ChaosSystem = {
  name: 'sqlite',
  lease: 2_000,
  settling: 0,
  retryClock: 'monotonic',
  pace: 2_000,
  hasPool: false,
  start: async (folder) => ({
    url: `sqlite:${join(folder, 'chaos.db')}`,
    disturbances: {},
    [Symbol.asyncDispose]: async () => {},
  }),
}
