import type { Features, PublishOutcome } from '../../../src/index.ts'
import type { Answer, ClaimedEvent, Entry, PublishedEvent, StartHappening } from '../history.ts'
import type { ChaosQueue } from '../queues.ts'
import type { Reason } from './causes.ts'
import { clocksIn, type Clocks } from './clocks.ts'
import { handOutsIn } from './hand-outs.ts'
import { livesOf, type Process } from './lives.ts'
import { callsByEvent, redrivesIn, type Redrive } from './redrives.ts'

/** What the checker judges: all histories together, and what the system and its queues promise. */
export interface Evidence {
  readonly entries: readonly Entry[]
  readonly queues: readonly ChaosQueue[]
  readonly features: Pick<Features, 'settlement' | 'attempts' | 'leases' | 'delayClock'>
  /** Milliseconds. */
  readonly lease: number
  /** How long a settlement may take to reach the system, where it is only recorded to be committed, in milliseconds. */
  readonly settling: number
  /** What the wait of a retry goes by. */
  readonly retryClock: 'monotonic' | 'wall'
  /** Handler runs before an event is a dead letter. */
  readonly attempts: number
  /** Where publishers publish, and relays take it from: a system of its own, whose one queue they consume. */
  readonly outbox?: Omit<Evidence, 'entries' | 'outbox'>
}

/** A dead letter. */
export type Letter = Extract<Entry, { what: 'letter' }>

/** One hand-out of an event to a process. */
export interface Hold extends ClaimedEvent {
  readonly queue: string
  readonly process: Process
  /** When its process told of it. */
  readonly claimed: number
  /** When it may have been given it at the earliest: who stood still before he could tell had it before that, or not. */
  readonly since: number
  /** undefined: the handler never started. A relay may start to send several times; this is the last. */
  started: Run | undefined
  /** What the system said last of its settlement, and when. */
  answer: (Answer & { readonly at: number }) | undefined
  /** What its process did with it when it left: gave it back, or kept it, for its handler went on. */
  parted: 'released' | 'kept' | undefined
}

/** One start of a handler. */
export interface Run extends StartHappening {
  readonly process: Process
  readonly at: number
  readonly hold: Hold
  end: Extract<Entry, { what: 'end' }> | undefined
  /** Its process said that the lease was lost, by a notice or an abort, or the system did, and there is a reason for that. */
  lost: boolean
  /** The system has done what it was told of the run, for good. */
  confirmed: boolean
}

/** A look for an event whose holder died, of which its process could not tell what came of it. */
export interface Ask {
  readonly queue: string
  readonly process: Process
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
  /** How often each event may have come into the queues: since when, and why once more. */
  readonly copies: ReadonlyMap<string, readonly Reason[]>
  /** In the order of their starts, by queue and id. */
  readonly runs: ReadonlyMap<string, ReadonlyMap<string, readonly Run[]>>
  /** All that was handed out, in that order, by queue and id. */
  readonly holds: ReadonlyMap<string, ReadonlyMap<string, readonly Hold[]>>
  readonly asks: readonly Ask[]
  readonly redrives: readonly Redrive[]
  /** By queue and id. */
  readonly redrivesByEvent: ReadonlyMap<string, readonly Redrive[]>
  readonly clocks: Clocks
  readonly processes: ReadonlyMap<string, Process>
}

export function outcomeOf(call: Call, id: string): PublishOutcome {
  return call.results[call.events.findIndex((event) => event.id === id)] ?? 'unknown'
}

/** `relayed`: what relays have brought; without, what was published is in the queues. */
export function factsOf(evidence: Evidence, relayed?: Facts['copies']): Facts {
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
  const copies = relayed ?? new Map([...events].map(([id, known]) => [id, copiesBy(known.calls, id)]))
  const isOurs = ({ queue }: { readonly queue: string }): boolean =>
    evidence.queues.some(({ name }) => name === queue)
  const dead = entries.filter((entry) => entry.what === 'letter').filter(isOurs)
  const handed = handOutsIn({ ...evidence, entries }, processes)
  const [redrives, clocks] = [redrivesIn(entries).filter(isOurs), clocksIn(entries)]
  const redrivesByEvent = callsByEvent(redrives)
  return {
    ...evidence,
    entries,
    dead,
    calls,
    events,
    copies,
    processes,
    redrives,
    redrivesByEvent,
    clocks,
    ...handed,
  }
}

function copiesBy(calls: readonly Call[], id: string): readonly Reason[] {
  const possible = calls.filter((call) => outcomeOf(call, id) !== 'rejected')
  return possible.map(({ called }) => ({ cause: 'published again', from: called }))
}

function callsOf(entries: readonly Entry[]): readonly Call[] {
  const calls = new Map<string, Call>()
  for (const entry of entries) {
    if (entry.what === 'publishing') {
      const results = entry.events.map((): PublishOutcome => (entry.rolledBack ? 'rejected' : 'unknown'))
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
