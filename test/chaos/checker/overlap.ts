import { isSingle, leftAt, mayBeUnsettled } from './causes.ts'
import type { Facts, Run } from './facts.ts'
import type { Violation } from './violation.ts'

/** One event, or one key of a queue with order, is with one handler at a time, unless its process had lost it. */
export function overlap(facts: Facts): Violation[] {
  const violations: Violation[] = []
  for (const { name, order } of facts.queues) {
    const ofEvents = [...(facts.runs.get(name) ?? [])]
    const byKey = Map.groupBy(
      ofEvents.flatMap(([, runs]) => runs),
      ({ key }) => (order === 'none' ? undefined : key),
    )
    byKey.delete(undefined)
    const single = ofEvents.filter(([id, runs]) => !byKey.has(runs[0]?.key) && isSingle(name, id, facts))
    for (const group of [...byKey.values(), ...single.map(([, runs]) => runs)])
      violations.push(...overlapsIn(group, name, facts))
  }
  return violations
}

interface Held {
  readonly run: Run
  readonly until: number
}

function overlapsIn(group: readonly Run[], queue: string, facts: Facts): Violation[] {
  const violations: Violation[] = []
  let before: Held | undefined
  for (const run of group.toSorted((a, b) => a.at - b.at)) {
    if (
      before !== undefined &&
      run.at < heldUntil(before, run, group, facts) &&
      !comesAgain(before.run, run, group, facts)
    ) {
      const text = `${run.id} started in ${queue} while ${before.run.id} was with a handler`
      violations.push({ rule: 'overlap', text, ids: [...new Set([before.run.id, run.id])], queue })
    }
    const until = leftAt(run)
    if (before === undefined || until > before.until) before = { run, until }
  }
  return violations
}

/**
 * Until when the key was not for the next. Who stands still does not renew: the lease runs out, and an event that came
 * before, of which there was a run already, may be handed out. The ack still counts, as long as nobody has taken over its
 * event.
 */
function heldUntil({ run, until }: Held, next: Run, group: readonly Run[], facts: Facts): number {
  const cameBefore = next.id !== run.id && group.some(({ id, at }) => id === next.id && at < run.at)
  if (facts.features.leases !== 'timed' || !cameBefore) return until
  // Renewed each third of it, a lease has two more at any time.
  const least = (facts.lease * 2) / 3
  const still = run.process.stoodStill.find(([from, to]) => to - Math.max(from, run.at) > least)
  return still === undefined ? until : Math.min(until, Math.max(still[0], run.at) + least)
}

/**
 * Whether one of them had ended where the other runs, and comes again only because its settlement was lost: who handles the
 * next of a key when one has ended does as he should.
 */
function comesAgain(one: Run, other: Run, group: readonly Run[], facts: Facts): boolean {
  const ended = (again: Run, run: Run): boolean =>
    group.some(
      (first) =>
        first.id === again.id &&
        first.process === run.process &&
        (first.end?.at ?? Infinity) <= run.at &&
        mayBeUnsettled(first, facts),
    )
  return ended(one, other) || ended(other, one)
}
