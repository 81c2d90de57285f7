import { isSettled, isSingle } from './causes.ts'
import { hadCome, wasSet } from './clocks.ts'
import type { Facts, Run } from './facts.ts'
import type { Violation } from './violation.ts'

/**
 * No delayed event starts early, and none whose run has failed, or put it off, before its wait is over. Dates go by the wall
 * clock, which the processes of one machine share unless somebody sets it; waits as the system has it.
 */
export function delays(facts: Facts): Violation[] {
  const violations: Violation[] = []
  for (const [queue, handled] of facts.runs) {
    for (const [id, ofEvent] of handled) {
      const early = (what: string): void =>
        void violations.push({
          rule: 'delays',
          text: `${id} started in ${queue} too early, ${what}`,
          ids: [id],
          queue,
        })
      const date = dateOf(id, facts)
      for (const run of ofEvent) if (!hadCome(date, run, facts)) early('delayed')
      // A second copy waits for nothing that befell the first.
      if (!isSingle(queue, id, facts)) continue
      for (const [i, run] of ofEvent.entries()) {
        const next = ofEvent[i + 1]
        if (next !== undefined && !waitIsOver(run, next, facts)) early(`after it had ${run.end?.as}`)
      }
    }
  }
  return violations
}

function waitIsOver(run: Run, next: Run, facts: Facts): boolean {
  const { end, hold, process } = run
  if (end?.wait === undefined || hold.answer === undefined || hold.answer.as === 'dead') return true
  // What ended when a stop had aborted it is given back, whatever it said.
  if (hold.answer.as === 'release' && end.at >= process.gaveUp) return true
  if (!isSettled(run, facts)) return true
  if (facts.retryClock === 'monotonic') return next.at >= end.at + end.wait
  return wasSet(process, end.at, hold.answer.at, facts) || hadCome(end.now + end.wait, next, facts)
}

/** Who publishes an event again gives it another date, by his own clock. 0: there is none. */
function dateOf(id: string, { events }: Facts): number {
  const { calls = [] } = events.get(id) ?? {}
  const published = calls.flatMap((call) => call.events.filter((event) => event.id === id))
  const dates = published.map(({ deliverAt = 0 }) => deliverAt)
  return dates.length === 0 ? 0 : Math.min(...dates)
}
