import { isSingle } from './causes.ts'
import type { Facts } from './facts.ts'
import { livesIn, redrivesOf } from './redrives.ts'
import type { Violation } from './violation.ts'

/** A call that says that it put letters back put back all that were there; and what has taken the place of an event is what comes from then on. */
export function redriven(facts: Facts): Violation[] {
  const violations: Violation[] = []
  if (facts.features.settlement !== 'recorded') {
    for (const { queue, ids, count } of facts.redrives) {
      if (count === undefined || count === ids.length) continue
      const text = `${count} of ${ids.length} dead letters of ${queue} were put back`
      violations.push({ rule: 'redriven', text, ids, queue })
    }
  }
  for (const [queue, handedOut] of facts.holds) {
    for (const id of handedOut.keys()) {
      if (!isSingle(queue, id, facts)) continue
      const calls = redrivesOf(queue, id, facts)
      livesIn(queue, id, facts).forEach((life, i) => {
        const replaced = calls.slice(0, i).some(({ replaces }) => replaces)
        if (life.every(({ started }) => (started?.replaced ?? replaced) === replaced)) return
        const text = `${id} started in ${queue} as the event that ${replaced ? 'another had taken the place of' : 'takes the place of it later'}`
        violations.push({ rule: 'redriven', text, ids: [id], queue })
      })
    }
  }
  return violations
}
