import type { PublishedEvent } from '../history.ts'
import { longestWait } from './clocks.ts'
import type { Facts, Run } from './facts.ts'
import { isRefusal } from './hand-outs.ts'
import type { Process } from './lives.ts'
import { callsFor } from './redrives.ts'

/** Why an event may start once more than its runs were settled. */
export type Cause =
  | 'failed'
  | 'deferred'
  | 'given back'
  | 'killed'
  | 'lease lost'
  | 'not committed'
  | 'published again'
  | 'tried again'
  | 'relayed again'
  | 'redriven'

export interface Reason {
  readonly cause: Cause
  /** From when on the event may start again because of it. */
  readonly from: number
}

/** What it takes to judge one run. */
type Rules = Pick<Facts, 'features' | 'lease' | 'settling'>

/** Why the event of this run may start again; none: the run has settled it. */
export function reasonsOf(run: Run, rules: Rules): readonly Reason[] {
  return rules.features.settlement === 'recorded' ? whereRecorded(run, rules) : whereConfirmed(run)
}

/** The system has said what it did: one answer, one reason at most. */
function whereConfirmed(run: Run): readonly Reason[] {
  const { end, hold } = run
  // A relay that could not send it has tried once more, while it held it.
  if (hold.started !== run) return end?.as === 'failed' ? [{ cause: 'tried again', from: end.at }] : []
  if (!run.confirmed) return reasonOfLoss(run)
  const from = end?.at ?? Infinity
  if (hold.answer?.as === 'retry') return [{ cause: 'failed', from }]
  if (hold.answer?.as === 'release')
    return [{ cause: end?.as === 'deferred' ? 'deferred' : 'given back', from }]
  return []
}

/** It has not, or has refused. */
function reasonOfLoss(run: Run): readonly Reason[] {
  const { process, hold, lost } = run
  if (lost) return [{ cause: 'lease lost', from: run.at }]
  if (hold.answer !== undefined && isRefusal(hold.answer)) return []
  if (process.killed < Infinity) return [{ cause: 'killed', from: leftAt(run) }]
  return hold.parted === undefined ? [] : [{ cause: 'given back', from: leftAt(run) }]
}

/** What the system has said is no more than written down until it is committed. */
function whereRecorded(run: Run, rules: Rules): readonly Reason[] {
  const { process, end } = run
  const fork: readonly Reason[] = isForked(run, rules) ? [{ cause: 'not committed', from: leftAt(run) }] : []
  if (run.lost) return [{ cause: 'lease lost', from: run.at }, ...fork]
  if (end?.as === 'failed') return [{ cause: 'failed', from: end.at }, ...fork]
  if (end?.as === 'deferred') return [{ cause: 'deferred', from: end.at }]
  if (end?.as === 'stopped') return [{ cause: 'given back', from: end.at }]
  if (end === undefined) {
    if (process.killed < Infinity) return [{ cause: 'killed', from: leftAt(run) }]
    return process.gaveUp < Infinity ? [{ cause: 'given back', from: process.gaveUp }] : []
  }
  return mayBeUnsettled(run, rules) ? [{ cause: 'not committed', from: leftAt(run) }] : []
}

/**
 * Whether the event may have become two: its retry was written, but that it is not waiting at its old place any more was
 * only recorded.
 */
function isForked(run: Run, facts: Rules): boolean {
  if (facts.features.settlement !== 'recorded' || run.end?.as !== 'failed') return false
  return mayBeUnsettled(run, facts)
}

/** What is to wait for longer is carried from place to place where settling is only recorded, in milliseconds. */
const longWait = 10_000

/** From when on the event may have been carried; Infinity: never. */
function carriedSince(event: PublishedEvent | undefined, runs: readonly Run[], facts: Facts): number {
  if (facts.features.settlement !== 'recorded') return Infinity
  if (event?.deliverAt !== undefined) return -Infinity
  return runs.find((run) => longestWait(run, facts) > longWait)?.end?.at ?? Infinity
}

/**
 * That an event which is carried has left a place is only recorded, too. Who carried it leaves no line, so anybody may have
 * who was killed or cut off since.
 */
export function* carriedTwice(facts: Facts, event: PublishedEvent, runs: readonly Run[]): Generator<Reason> {
  const since = carriedSince(event, runs, facts)
  if (since === Infinity) return
  for (const { killed, cutOff } of facts.processes.values()) {
    for (const [from, to] of [[killed, killed] as const, ...cutOff])
      if (to >= since) yield { cause: 'not committed', from: Math.max(from, since) }
  }
}

/** Whether this is one event all the time, of which one failure, wait and attempt follows the other. */
export function isSingle(queue: string, id: string, facts: Facts): boolean {
  if (facts.copies.get(id)?.length !== 1) return false
  if (facts.features.settlement !== 'recorded') return true
  const event = facts.events.get(id)?.event
  const redriven = callsFor(queue, id, facts)
  const runs = facts.runs.get(queue)?.get(id) ?? []
  const carried = carriedSince(event, runs, facts) < Infinity
  if (carried || redriven.some(({ count, ids }) => count !== ids.length)) return false
  // What is a dead letter and comes again, too, is two events when the letter is put back.
  const dies = (run: Run): boolean =>
    redriven.length > 0 && run.end?.as === 'fatal' && mayBeUnsettled(run, facts)
  return !runs.some((run) => isForked(run, facts) || dies(run))
}

/** Whether the system may not know how the run ended, be it that its process has no idea of that. */
export function mayBeUnsettled(run: Run, rules: Rules): boolean {
  const { features, settling } = rules
  const { process, end, lost } = run
  if (features.settlement !== 'recorded')
    return !run.confirmed && (end === undefined || reasonOfLoss(run).length > 0)
  if (end === undefined || lost) return true
  // Who cannot commit for long loses his lanes, and what he had settled in them since.
  if (end.at > process.gaveUp || cutOffNear(process, end.at, settling)) return true
  return process.killed < Infinity && process.killed <= settledBy(run, rules)
}

/** From when on the system surely knows how the run ended; Infinity if it has not. What it is cut off for does not count. */
function settledBy({ end, process, hold }: Run, { settling }: Rules): number {
  if (end === undefined || hold.answer?.result !== 'done') return Infinity
  let by = hold.answer.at + settling
  for (const [from, to] of process.cutOff) if (from <= by && to > end.at) by += to - Math.max(from, end.at)
  return by
}

/** Whether the system surely knows how the run ended, and in time. */
export function isSettled(run: Run, rules: Rules): boolean {
  const { end, process, lost } = run
  if (rules.features.settlement !== 'recorded') return run.confirmed
  if (end === undefined || lost) return false
  const by = settledBy(run, rules)
  return by < process.killed && by < process.stopping && !cutOffNear(process, end.at, rules.settling)
}

/** When the event was out of the hands of the process, or may have been: it was killed, cut off, late or gave it up. */
export function leftAt({ at, end, lost, confirmed, process }: Run): number {
  if (confirmed && end !== undefined) return end.at
  if (lost) return at
  const until = Math.min(end?.at ?? Infinity, process.killed, process.gaveUp)
  const cut = process.cutOff.find(([from, to]) => from < until && to > at)
  return cut === undefined ? until : Math.max(cut[0], at)
}

function cutOffNear(process: Process, at: number, settling: number): boolean {
  return process.cutOff.some(([from, to]) => from - settling < at && at < to + settling)
}
