import { alone } from './alone.ts'
import { attemptsCount, deadForAReason } from './attempts.ts'
import { breaker } from './breaker.ts'
import type { Cause } from './causes.ts'
import { delays } from './delays.ts'
import { outcomeOf, type Evidence, type Facts } from './facts.ts'
import { handled } from './handled.ts'
import { order } from './order.ts'
import { outcomes } from './outcomes.ts'
import { overlap } from './overlap.ts'
import { processes } from './processes.ts'
import { published, takenInOrder } from './published.ts'
import { redriven } from './redriven.ts'
import { relayed, stagesOf } from './relayed.ts'
import { starts } from './starts.ts'
import { stopsInTime } from './stops.ts'
import type { Violation } from './violation.ts'

export interface Judgement {
  readonly violations: readonly Violation[]
  readonly counts: Counts
}

export interface Counts {
  /** Events that were taken. */
  readonly published: number
  /** Runs, over all queues: those that ended well, all that started, those that failed. */
  readonly handled: number
  readonly starts: number
  readonly failures: number
  /** Processes that were killed, by events too. */
  readonly kills: number
  readonly dead: number
  /** Dead letters that were put back, breakers that opened, wall clocks that were set. */
  readonly redriven: number
  readonly breakers: number
  readonly steps: number
  /** Extra starts, by what explains them. */
  readonly repeats: Readonly<Partial<Record<Cause, number>>>
  /** What relays sent once more, by what explains it. */
  readonly sentAgain?: Readonly<Partial<Record<Cause, number>>>
}

/** Judges what the histories tell. Reads and writes nothing. */
export function check(evidence: Evidence): Judgement {
  const { outbox, queues: facts } = stagesOf(evidence)
  const [repeats, sentAgain] = [new Map<Cause, number>(), new Map<Cause, number>()]
  const violations = [
    ...(outbox === undefined ? [] : relayed(outbox, sentAgain)),
    ...handled(facts),
    ...starts(facts, repeats),
    ...published(facts),
    ...takenInOrder(facts),
    ...order(facts),
    ...overlap(facts),
    ...delays(facts),
    ...attemptsCount(facts),
    ...outcomes(facts),
    ...alone(facts),
    ...redriven(facts),
    ...breaker(facts),
    ...deadForAReason(facts),
    ...processes(outbox ?? facts),
    ...stopsInTime(outbox ?? facts),
  ]
  const counts = { ...countsOf(facts), repeats: Object.fromEntries(repeats) }
  return { violations, counts: outbox ? { ...counts, sentAgain: Object.fromEntries(sentAgain) } : counts }
}

function countsOf({ events, runs, dead, ...facts }: Facts): Omit<Counts, 'repeats' | 'sentAgain'> {
  const all = [...runs.values()].flatMap((ofQueue) => [...ofQueue.values()].flat())
  const endedAs = (as: string): number => all.filter(({ end }) => end?.as === as).length
  return {
    published: [...events].filter(([id, { calls }]) => calls.some((call) => outcomeOf(call, id) === 'taken'))
      .length,
    handled: endedAs('ok'),
    starts: all.length,
    failures: endedAs('failed') + endedAs('fatal'),
    kills: [...facts.processes.values()].filter(({ killed }) => killed < Infinity).length,
    dead: dead.length,
    redriven: facts.redrives.reduce((sum, { count = 0 }) => sum + count, 0),
    breakers: facts.entries.filter((entry) => entry.what === 'noticed' && entry.code === 'BREAKER_OPEN')
      .length,
    steps: facts.entries.filter(({ what }) => what === 'stepped').length,
  }
}
