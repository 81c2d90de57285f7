import { isSettled, isSingle } from './causes.ts'
import type { Facts, Hold, Letter, Run } from './facts.ts'
import { isRefusal } from './hand-outs.ts'
import { livesIn } from './redrives.ts'
import type { Violation } from './violation.ts'

/**
 * `attempt` is 1 more than the failures so far: every failure that the system knows of counts, and nothing else but, where
 * `features.attempts` says so, the end of a lease under which the event ran alone. A redrive begins anew. None has more than it may.
 */
export function attemptsCount(facts: Facts): Violation[] {
  const violations: Violation[] = []
  for (const [queue, handedOut] of facts.holds) {
    for (const [id, holds] of handedOut) {
      const wrong = (text: string): void =>
        void violations.push({ rule: 'attempts', text: `${id} ${text}`, ids: [id], queue })
      for (const { started } of holds) {
        if (started !== undefined && started.attempt > facts.attempts)
          wrong(`started in ${queue} as attempt ${started.attempt} of ${facts.attempts}`)
      }
      if (!isSingle(queue, id, facts)) continue
      let before = facts.events.get(id)?.calls[0]?.called ?? -Infinity
      for (const life of livesIn(queue, id, facts)) {
        for (const [i, { attempt, since, claimed }] of life.entries()) {
          if (since < claimed) continue
          const [least, most] = failuresBefore(life, i, before, facts)
          if (attempt > least && attempt <= most + 1) continue
          wrong(`was handed out in ${queue} as attempt ${attempt} after ${least} to ${most} failures`)
        }
        before = life.at(-1)?.claimed ?? before
      }
    }
  }
  return violations
}

/** Failures that surely count, and that may. */
function failuresBefore(
  holds: readonly Hold[],
  index: number,
  /** When it was published, or last handed out before a redrive. */
  before: number,
  facts: Facts,
): readonly [least: number, most: number] {
  const last = holds[index] as Hold
  let least = 0
  let most = countsCrashes(facts) ? unseenClaims(facts, before, last) : 0
  for (const [i, hold] of holds.slice(0, index).entries()) {
    const [surely, perhaps] = failuresOf(hold, holds[i + 1] as Hold, facts)
    least += surely
    most += perhaps
  }
  for (const hold of holds.slice(index + 1)) if (hold.since < last.claimed) most += Number(hold.lapsed)
  return [least, most]
}

function countsCrashes({ features }: Pick<Facts, 'features'>): boolean {
  return features.attempts !== 'failures'
}

/** For how many failures this counts, if the event was handed out once more behind it. */
function failuresOf(
  { started, answer, parted, lapsed }: Hold,
  next: Hold,
  facts: Facts,
): readonly [surely: number, perhaps: number] {
  const failed = Number(started?.end?.as === 'failed' && answer?.as !== 'release')
  if (started !== undefined && isSettled(started, facts)) return [failed, failed]
  if (!countsCrashes(facts)) return [0, failed]
  if (answer?.result === 'done') return [0, 0]
  // The lease of an event that was alone ran out; of others that counts for nothing.
  const crash = Number(lapsed)
  if (answer !== undefined && isRefusal(answer) && !mayHaveMissed(answer, started)) return [crash, crash]
  if (parted === 'released' || next.since < next.claimed) return [0, Math.max(crash, failed)]
  // Whether the settlement that got no answer was done is seen in what comes next, unless it was with somebody in between.
  if (!next.lapsed) return [failed, failed]
  return [crash, mayHaveGone(started, next, facts) ? Math.max(crash, failed) : crash]
}

/** Whether somebody may have been handed the event once its retry was due, and have died, or been cut off, before he could tell. */
function mayHaveGone(run: Run | undefined, next: Hold, { processes, lease }: Facts): boolean {
  if (run?.end === undefined) return false
  const due = run.end.at + (run.end.wait ?? 0)
  const latest = next.claimed - lease
  return [...processes.values()].some(
    (process) =>
      (process !== run.process && process.killed > due && process.killed < next.claimed && due < latest) ||
      process.cutOff.some(([from, to]) => from < latest && to > due),
  )
}

/** Whether it was cut off while it settled: the refusal may be of what was done before, which it never heard of. */
function mayHaveMissed({ at }: { readonly at: number }, run: Run | undefined): boolean {
  const ended = run?.end?.at ?? Infinity
  return run?.process.cutOff.some(([from, to]) => from <= at && to >= ended) === true
}

/**
 * Who died between asking for an event that was to be alone and telling that he got one may have had this one, unless he was
 * dead before. When he asked says nothing: he may have stood still until he was answered.
 */
function unseenClaims({ asks }: Facts, before: number, { queue, claimed }: Hold): number {
  return asks.filter(
    ({ queue: asked, process: { killed } }) => asked === queue && killed > before && killed < claimed,
  ).length
}

/** An event becomes a dead letter because its handler said so, or after as many failures as it may have; once for each copy. */
export function deadForAReason(facts: Facts): Violation[] {
  const violations = deadTooOften(facts)
  const dead = new Set(facts.dead.map(({ queue, id }) => `${queue} ${id}`))
  const named = [
    ...facts.dead,
    ...facts.redrives.flatMap(({ queue, ids }) => ids.map((id) => ({ queue, id }))),
  ]
  for (const { queue, id } of new Map(named.map((one) => [`${one.queue} ${one.id}`, one])).values()) {
    const lives = livesIn(queue, id, facts)
    const died = dead.has(`${queue} ${id}`) ? lives : lives.slice(0, -1)
    // Of two copies nobody can tell whose life a run belongs to.
    const ended = isSingle(queue, id, facts) ? died : died.slice(0, 1).map(() => lives.flat())
    if (ended.every((life) => life.some((hold) => mayDie(hold, facts)))) continue
    const text = `${id} is a dead letter of ${queue}, but neither was it fatal nor did it fail ${facts.attempts} times`
    violations.push({ rule: 'dead', text, ids: [id], queue })
  }
  return violations
}

/** A crash that uses up the attempts is seen only at the next claim. */
function mayDie({ attempt, started }: Hold, { attempts }: Facts): boolean {
  const as = started?.end?.as
  return attempt > attempts || as === 'fatal' || (as === 'failed' && attempt >= attempts)
}

/** Where settling is only recorded, the letter may be written, and written again after a crash. */
function deadTooOften({ dead, copies, features }: Facts): Violation[] {
  if (features.settlement === 'recorded') return []
  return [...Map.groupBy(dead, ({ queue, id }) => `${queue} ${id}`).values()].flatMap((letters) => {
    const [{ queue, id }] = letters as [Letter]
    const count = copies.get(id)?.length ?? 0
    if (letters.length <= Math.max(count, 1)) return []
    const text = `${id} is ${letters.length} dead letters of ${queue}, and came there ${count} times`
    return [{ rule: 'dead', text, ids: [id], queue }]
  })
}
