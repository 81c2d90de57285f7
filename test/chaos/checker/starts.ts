import { carriedTwice, reasonsOf, type Cause, type Reason } from './causes.ts'
import type { Facts, Run } from './facts.ts'
import { callsFor, redrivesOf, type Redrive } from './redrives.ts'
import type { Violation } from './violation.ts'

/**
 * An event starts once for each time it was taken, and once more for each run that did not settle it. Every extra start
 * needs a reason of its own that came before it. Counts the causes into `repeats`.
 */
export function starts(facts: Facts, repeats: Map<Cause, number>): Violation[] {
  const violations: Violation[] = []
  for (const [queue, events] of facts.runs) {
    for (const [id, runs] of events) {
      if (runs.length === 1) continue
      const reasons = [...reasonsIn(facts, queue, id, runs)].toSorted((a, b) => a.from - b.from)
      for (const run of runs.slice(1)) {
        const reason = reasons[0]
        if (reason === undefined || reason.from > run.at) {
          const text = `${id} started in ${queue} once more, in ${run.process.name}, without a cause`
          violations.push({ rule: 'starts', text, ids: [id], queue })
          break
        }
        reasons.shift()
        repeats.set(reason.cause, (repeats.get(reason.cause) ?? 0) + 1)
      }
    }
  }
  return violations
}

function* reasonsIn(facts: Facts, queue: string, id: string, runs: readonly Run[]): Generator<Reason> {
  for (const run of runs) yield* reasonsOf(run, facts)
  for (const { called } of redrivesFor(facts, queue, id)) yield { cause: 'redriven', from: called }
  const known = facts.events.get(id)
  if (known === undefined) return
  yield* carriedTwice(facts, known.event, runs)
  yield* facts.copies.get(id)?.slice(1) ?? []
}

/** Where a letter is written and taken away in two steps, a call that failed may have put it back, and left it for the next. */
function redrivesFor(facts: Facts, queue: string, id: string): readonly Redrive[] {
  if (facts.features.settlement !== 'recorded') return redrivesOf(queue, id, facts)
  return callsFor(queue, id, facts).filter(({ count }) => count !== 0)
}
