import { randomInt } from 'node:crypto'
import { expect } from 'vitest'
import { makeChaos } from './chaos.ts'
import type { Entry } from './history.ts'
import { reportOf } from './report.ts'
import type { ChaosSystem } from './systems/system.ts'

/** For how long tests make chaos, in milliseconds. Then it takes about as long again to come to rest. */
const short = 10_000

/** Some seconds of chaos, with another seed each time; a failure names it. */
export async function expectPromisesKept(system: ChaosSystem): Promise<void> {
  const outcome = await makeChaos(system, randomInt(2 ** 31), short)
  expect(outcome.violations, reportOf(system.name, outcome)).toEqual([])
  // That it was chaos at all. In so short a time, no kill may be among what befell them.
  const { published, handled, failures } = outcome.counts
  const befell = outcome.entries.filter(isIntervention).length
  expect(Math.min(published, handled, failures, befell), reportOf(system.name, outcome)).toBeGreaterThan(0)
}

function isIntervention(entry: Entry): boolean {
  // Somebody was stopped or killed, and another took his place.
  if (entry.what === 'spawned') return !entry.of.endsWith('.1')
  return ['frozen', 'stepped', 'failing', 'disturbed'].includes(entry.what)
}
