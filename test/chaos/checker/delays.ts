import { isSettled, isSingle } from './causes.ts'
import type { Facts, Run } from './facts.ts'
import type { Violation } from './violation.ts'

/**
 * No delayed event starts early, and none whose run has failed, or put it off, before its wait is over; by the wall clock,
 * which the processes of one machine share.
 */
export function delays(facts: Facts): Violation[] {
  const violations: Violation[] = []
  for (const [queue, handled] of facts.runs) {
    for (const [id, ofEvent] of handled) {
      const { event } = facts.events.get(id) ?? {}
      const tooEarly = (due: number, what: string) => (run: Run) => {
        if (run.now >= due) return
        const text = `${id} started in ${queue} ${due - run.now} ms too early, ${what}`
        violations.push({ rule: 'delays', text, ids: [id], queue })
      }
      ofEvent.forEach(tooEarly(event?.deliverAt ?? 0, 'delayed'))
      // A second copy waits for nothing that befell the first.
      if (isSingle(queue, id, facts))
        for (const { due, next, what } of waitsIn(ofEvent, facts)) tooEarly(due, what)(next)
    }
  }
  return violations
}

function* waitsIn(runs: readonly Run[], facts: Facts): Generator<{ due: number; next: Run; what: string }> {
  for (const [i, run] of runs.entries()) {
    const next = runs[i + 1]
    if (next === undefined || run.end?.wait === undefined || !isSettled(run, facts)) continue
    yield { due: run.end.now + run.end.wait, next, what: `after it had ${run.end.as}` }
  }
}
