import { isSettled, isSingle } from './causes.ts'
import { dateOf, hadCome, wasSet } from './clocks.ts'
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
      const isDue = dueTest(id, facts)
      for (const run of ofEvent) if (!isDue(run)) early('delayed')
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

/**
 * Who publishes an event again gives it another date, by his own clock. A server counts the delay itself, from when it takes
 * the event, whatever anybody's clock says; what an outbox has counted so comes into the queues as a date.
 */
function dueTest(id: string, facts: Facts): (run: Run) => boolean {
  const { calls = [] } = facts.events.get(id) ?? {}
  const published = calls.flatMap(({ called, events }) =>
    events
      .filter((event) => event.id === id)
      .map(({ deliverAt = 0, delay = 0 }) => ({ deliverAt, at: called + delay })),
  )
  if (published.length === 0) return () => true
  const first = Math.min(...published.map(({ at }) => at))
  const date = Math.min(...published.map(({ deliverAt }) => deliverAt))
  if (facts.features.delayClock === 'server') return ({ at }) => at >= first
  if (facts.outbox?.features.delayClock === 'server')
    return (run) => hadCome(Math.floor(dateOf(first, run, facts)), run, facts)
  return (run) => hadCome(date, run, facts)
}
