import { randomInt } from 'node:crypto'
import { expect } from 'vitest'
import { makeChaos } from './chaos.ts'
import { reportOf } from './report.ts'
import type { ChaosSystem } from './systems/system.ts'

/** For how long tests make chaos, in milliseconds. Then it takes about as long again to come to rest. */
const short = 10_000

/** Some seconds of chaos, with another seed each time; a failure names it. */
export async function expectPromisesKept(system: ChaosSystem): Promise<void> {
  const outcome = await makeChaos(system, randomInt(2 ** 31), short)
  expect(outcome.violations, reportOf(system.name, outcome)).toEqual([])
  // That it was chaos at all.
  const { published, handled, failures, kills } = outcome.counts
  expect(Math.min(published, handled, failures, kills), reportOf(system.name, outcome)).toBeGreaterThan(0)
}
