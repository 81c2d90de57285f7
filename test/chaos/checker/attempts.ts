import { isSettled, isSingle } from './causes.ts'
import { outcomeOf, type Facts, type Letter, type Run } from './facts.ts'
import type { Violation } from './violation.ts'

/**
 * `attempt` is 1 more than the failures so far: every failure that the system knows of counts, and nothing else but, where
 * `features.attempts` says so, crashes and lost leases.
 */
export function attemptsCount(facts: Facts): Violation[] {
  const violations: Violation[] = []
  for (const [queue, handled] of facts.runs) {
    for (const [id, ofEvent] of handled) {
      if (!isSingle(ofEvent, facts)) continue
      for (const run of ofEvent) {
        const before = ofEvent.filter(({ at }) => at < run.at)
        const [least, most] = failuresIn(before, facts)
        if (run.attempt > least && run.attempt <= most + 1) continue
        const text = `${id} started in ${queue} as attempt ${run.attempt} after ${least} to ${most} failures`
        violations.push({ rule: 'attempts', text, ids: [id], queue })
      }
    }
  }
  return violations
}

/** Failures that surely count, and that may. */
function failuresIn(runs: readonly Run[], facts: Facts): readonly [least: number, most: number] {
  let [least, most] = [0, 0]
  for (const run of runs) {
    if (run.end?.as === 'failed') {
      most++
      if (isSettled(run, facts)) least++
    } else if (facts.features.attempts !== 'failures' && !isSettled(run, facts)) most++
  }
  return [least, most]
}

/** An event becomes a dead letter because its handler said so, or after as many failures as it may have; once for each copy. */
export function deadForAReason(facts: Facts): Violation[] {
  const violations = deadTooOften(facts)
  for (const letter of facts.dead) {
    const { queue, id } = letter
    const ofEvent = facts.runs.get(queue)?.get(id) ?? []
    if (ofEvent.some(({ end }) => end?.as === 'fatal') || usedUp(facts, letter, ofEvent)) continue
    const text = `${id} is a dead letter of ${queue}, but neither was it fatal nor did it fail ${facts.attempts} times`
    violations.push({ rule: 'dead', text, ids: [id], queue })
  }
  return violations
}

/** Where settling is only recorded, the letter may be written, and written again after a crash. */
function deadTooOften({ dead, events, features }: Facts): Violation[] {
  if (features.settlement === 'recorded') return []
  return [...Map.groupBy(dead, ({ queue, id }) => `${queue} ${id}`).values()].flatMap((letters) => {
    const [{ queue, id }] = letters as [Letter]
    const copies = events.get(id)?.calls.filter((call) => outcomeOf(call, id) !== 'rejected').length ?? 0
    if (letters.length <= Math.max(copies, 1)) return []
    const text = `${id} is ${letters.length} dead letters of ${queue}, and was published ${copies} times`
    return [{ rule: 'dead', text, ids: [id], queue }]
  })
}

/** A crash counts also if the process died between taking the event and starting its handler: that leaves no line. */
function usedUp({ features, attempts, processes }: Facts, { died }: Letter, runs: readonly Run[]): boolean {
  const failures = runs.filter(({ end }) => end?.as === 'failed').length
  if (features.attempts === 'failures') return failures >= attempts
  const first = runs[0]?.at ?? 0
  let crashes = 0
  for (const { killed, cutOff } of processes.values()) {
    if (killed > first && killed < died) crashes++
    crashes += cutOff.filter(([from]) => from > first && from < died).length
  }
  return failures + crashes >= attempts
}
