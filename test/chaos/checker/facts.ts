import type { Features, PublishOutcome } from '../../../src/index.ts'
import type { Entry, PublishedEvent, StartHappening } from '../history.ts'
import type { ChaosQueue } from '../queues.ts'
import { livesOf, mayLose, type Process } from './lives.ts'

/** What the checker judges: all histories together, and what the system and its queues promise. */
export interface Evidence {
  readonly entries: readonly Entry[]
  readonly queues: readonly ChaosQueue[]
  readonly features: Pick<Features, 'settlement' | 'attempts' | 'leases'>
  /** Milliseconds. */
  readonly lease: number
  /** How long a settlement may take to reach the system, where it is only recorded to be committed, in milliseconds. */
  readonly settling: number
  /** Handler runs before an event is a dead letter. */
  readonly attempts: number
}

/** A dead letter. */
export type Letter = Extract<Entry, { what: 'letter' }>

/** One start of a handler. */
export interface Run extends StartHappening {
  readonly process: Process
  readonly at: number
  end: Extract<Entry, { what: 'end' }> | undefined
  /** Its process said that the lease was lost, by a notice or an abort, and there is a reason for that. */
  lost: boolean
}

export interface Call {
  readonly called: number
  /** Infinity: it never was. */
  answered: number
  readonly events: readonly PublishedEvent[]
  /** unknown until the answer says otherwise. */
  results: readonly PublishOutcome[]
}

export interface Facts extends Evidence {
  readonly dead: readonly Letter[]
  readonly calls: readonly Call[]
  /** What was tried to be published, with the calls that did, in their order. */
  readonly events: ReadonlyMap<string, { readonly event: PublishedEvent; readonly calls: readonly Call[] }>
  /** In the order of their starts, by queue and id. */
  readonly runs: ReadonlyMap<string, ReadonlyMap<string, readonly Run[]>>
  readonly processes: ReadonlyMap<string, Process>
}

export function outcomeOf(call: Call, id: string): PublishOutcome {
  return call.results[call.events.findIndex((event) => event.id === id)] ?? 'unknown'
}

export function factsOf(evidence: Evidence): Facts {
  const entries = evidence.entries.toSorted((a, b) => a.at - b.at)
  const processes = livesOf(entries)
  const calls = callsOf(entries)
  const events = new Map<string, { event: PublishedEvent; calls: Call[] }>()
  for (const call of calls) {
    for (const event of call.events) {
      const known = events.get(event.id)
      if (known === undefined) events.set(event.id, { event, calls: [call] })
      else known.calls.push(call)
    }
  }
  const dead = entries.filter((entry) => entry.what === 'letter')
  return {
    ...evidence,
    entries,
    dead,
    calls,
    events,
    processes,
    runs: runsOf({ ...evidence, entries }, processes),
  }
}

function callsOf(entries: readonly Entry[]): readonly Call[] {
  const calls = new Map<string, Call>()
  for (const entry of entries) {
    if (entry.what === 'publishing') {
      const results = entry.events.map((): PublishOutcome => 'unknown')
      calls.set(entry.call, { called: entry.at, answered: Infinity, events: entry.events, results })
    } else if (entry.what === 'published') {
      const call = calls.get(entry.call)
      if (call === undefined) throw new Error(`There was no call ${entry.call}`)
      call.answered = entry.at
      call.results = entry.results
    }
  }
  return [...calls.values()]
}

function runsOf(
  { entries, features, lease }: Evidence,
  processes: ReadonlyMap<string, Process>,
): Map<string, Map<string, Run[]>> {
  const runs = new Map<string, Map<string, Run[]>>()
  const byNumber = new Map<string, Run>()
  const loses = (run: Run, at: number): boolean =>
    features.leases !== 'timed' || mayLose(run.process, [run.at - lease, at], processes.values(), lease)
  for (const entry of entries) {
    if (entry.what === 'start') {
      const run: Run = { ...entry, process: processes.get(entry.by)!, end: undefined, lost: false }
      byNumber.set(`${entry.by} ${entry.run}`, run)
      const ofQueue = runs.get(entry.queue) ?? new Map<string, Run[]>()
      runs.set(entry.queue, ofQueue)
      const ofEvent = ofQueue.get(entry.id)
      if (ofEvent === undefined) ofQueue.set(entry.id, [run])
      else ofEvent.push(run)
    } else if (entry.what === 'end') {
      const run = byNumber.get(`${entry.by} ${entry.run}`)
      if (run === undefined) throw new Error(`${entry.by} ended run ${entry.run}, which it had not started`)
      run.end = entry
      if (entry.as === 'aborted' && loses(run, entry.at)) run.lost = true
    } else if (entry.what === 'noticed' && entry.code === 'LEASE_LOST') {
      // The latest that the process has: an earlier one it had settled already.
      const run = runs
        .get(entry.queue ?? '')
        ?.get(entry.id ?? '')
        ?.findLast(({ process }) => process.name === entry.by)
      if (run !== undefined && loses(run, entry.at)) run.lost = true
    }
  }
  return runs
}
