import type { Answer, Entry } from '../history.ts'
import type { Ask, Evidence, Facts, Hold, Run } from './facts.ts'
import { mayLose, type Process } from './lives.ts'

/** What was handed out to whom, and what became of it. */
export function handOutsIn(
  { entries, queues, features, lease }: Evidence,
  processes: ReadonlyMap<string, Process>,
): Pick<Facts, 'runs' | 'holds' | 'asks'> {
  const holds = new Holds(processes)
  const runs = new Table<Run>()
  const loses = (run: Run, at: number): boolean =>
    features.leases !== 'timed' || mayLose(run.process, [run.at - lease, at], processes.values(), lease)
  const consumers = new Set(entries.filter((entry) => isOf(entry, queues)).map(({ by }) => by))
  for (const entry of entries) {
    if (!consumers.has(entry.by)) continue
    if (entry.what === 'asked') holds.asked(entry)
    else if (entry.what === 'claimed') holds.claimed(entry)
    else if (entry.what === 'start') {
      const hold = holds.named(entry)
      hold.started = { ...entry, process: hold.process, hold, end: undefined, lost: false, confirmed: false }
      runs.add(entry.queue, entry.id, hold.started)
    } else if (entry.what === 'end') {
      const run = holds.runNamed(entry)
      run.end = entry
      if (entry.as === 'aborted' && loses(run, entry.at)) run.lost = true
    } else if (entry.what === 'settled') {
      for (const answer of entry.answers) {
        const hold = holds.named({ by: entry.by, run: answer.run })
        hold.answer = { ...answer, at: entry.at }
        const run = hold.started
        if (run === undefined) continue
        run.confirmed = features.settlement !== 'recorded' && answer.result === 'done'
        if (isRefusal(answer) && loses(run, entry.at)) run.lost = true
      }
    } else if (entry.what === 'parting') holds.parted(entry)
    else if (entry.what === 'noticed' && entry.code === 'LEASE_LOST') {
      // The latest that the process has: an earlier one it had settled already.
      const run = runs
        .of(entry.queue ?? '', entry.id ?? '')
        ?.findLast(({ process }) => process.name === entry.by)
      if (run !== undefined && loses(run, entry.at)) run.lost = true
    }
  }
  return { runs: runs.all, holds: holds.table.all, asks: [...holds.asks.values()] }
}

/** Whether it tells of a session on one of these queues. */
function isOf(entry: Entry, queues: Evidence['queues']): boolean {
  if (entry.what !== 'asked' && entry.what !== 'claimed' && entry.what !== 'parting') return false
  return queues.some(({ name }) => name === entry.queue)
}

/** Whether somebody else has the event, or had. */
export function isRefusal({ result }: Answer): boolean {
  return result === 'gone' || result === 'lost'
}

/** How long it may take from the end of a stand-still to the line of what was claimed before it, in milliseconds. */
const aMoment = 100

function sinceWhen({ stoodStill }: Process, claimed: number): number {
  return stoodStill.find(([from, to]) => from < claimed && to >= claimed - aMoment)?.[0] ?? claimed
}

/** Lists by queue and id. */
class Table<T> {
  readonly all = new Map<string, Map<string, T[]>>()

  of(queue: string, id: string): readonly T[] | undefined {
    return this.all.get(queue)?.get(id)
  }

  add(queue: string, id: string, value: T): void {
    const ofQueue = this.all.get(queue) ?? new Map<string, T[]>()
    this.all.set(queue, ofQueue)
    const list = ofQueue.get(id)
    if (list === undefined) ofQueue.set(id, [value])
    else list.push(value)
  }
}

interface Named {
  readonly by: string
  readonly run: number
}

class Holds {
  readonly table = new Table<Hold>()
  /** Those without an answer; a process asks for one at a time in a queue. */
  readonly asks = new Map<string, Ask>()
  readonly #processes: ReadonlyMap<string, Process>
  readonly #byProcess = new Map<string, Map<number, Hold>>()

  constructor(processes: ReadonlyMap<string, Process>) {
    this.#processes = processes
  }

  asked({ by, queue }: Extract<Entry, { what: 'asked' }>): void {
    this.asks.set(`${by} ${queue}`, { queue, process: this.#processes.get(by)! })
  }

  claimed({ by, at, queue, events }: Extract<Entry, { what: 'claimed' }>): void {
    const process = this.#processes.get(by)!
    this.asks.delete(`${by} ${queue}`)
    const own = this.#byProcess.get(by) ?? new Map<number, Hold>()
    this.#byProcess.set(by, own)
    for (const event of events) {
      const open = { started: undefined, answer: undefined, parted: undefined }
      const hold: Hold = { ...event, ...open, queue, process, claimed: at, since: sinceWhen(process, at) }
      own.set(event.run, hold)
      this.table.add(queue, event.id, hold)
    }
  }

  named({ by, run }: Named): Hold {
    const hold = this.#byProcess.get(by)?.get(run)
    if (hold === undefined) throw new Error(`${by} tells of run ${run}, which it was never given`)
    return hold
  }

  runNamed(named: Named): Run {
    const { started } = this.named(named)
    if (started === undefined) throw new Error(`${named.by} ended run ${named.run}, which it had not started`)
    return started
  }

  parted({ by, queue, keep }: Extract<Entry, { what: 'parting' }>): void {
    for (const hold of this.#byProcess.get(by)?.values() ?? []) {
      if (hold.queue === queue) hold.parted ??= keep.includes(hold.run) ? 'kept' : 'released'
    }
  }
}
