import type { Entry } from '../history.ts'
import type { Facts, Run } from './facts.ts'
import type { Violation } from './violation.ts'

/** When it opens: after so many failures in a row, of so many events, within so many milliseconds. */
const failuresToOpen = 20
const eventsToOpen = 10
const failureSpan = 30_000
/** How long nothing starts then, and twice as long after each that fails, up to the longest. */
const firstRest = 5_000
const longestRest = 60_000

/** Between the line of a failure and what the engine makes of it, in milliseconds. */
const aMoment = 100
/** A timer may be early by this, in milliseconds. */
const early = 2

type Moment =
  | { readonly is: 'start' | 'end'; readonly at: number; readonly run: Run }
  | { readonly is: 'opened' | 'closed'; readonly at: number }

/**
 * The breaker of a queue in a process opens after enough failures and not before; while it is open one event is tried at a
 * time, after each rest; and it closes when one was handled.
 */
export function breaker(facts: Facts): Violation[] {
  const all = momentsIn(facts)
  return [...all].flatMap(([name, moments]) => {
    const watched = new WatchedBreaker()
    return moments
      .toSorted((a, b) => a.at - b.at)
      .flatMap((moment) => {
        const wrong = watched.sees(moment)
        const ids = 'run' in moment ? [moment.run.id] : []
        return wrong === undefined ? [] : [{ rule: 'breaker', text: `${name}: ${wrong}`, ids }]
      })
  })
}

function momentsIn({
  runs,
  entries,
}: Pick<Facts, 'runs' | 'entries'>): ReadonlyMap<string, readonly Moment[]> {
  const moments = new Map<string, Moment[]>()
  const add = (process: string, queue: string, moment: Moment): void => {
    const name = `${queue} in ${process}`
    const list = moments.get(name)
    if (list === undefined) moments.set(name, [moment])
    else list.push(moment)
  }
  for (const [queue, ofQueue] of runs) {
    for (const run of [...ofQueue.values()].flat()) {
      add(run.process.name, queue, { is: 'start', at: run.at, run })
      if (run.end !== undefined) add(run.process.name, queue, { is: 'end', at: run.end.at, run })
    }
  }
  for (const entry of entries) {
    const is = breakerNoticed(entry)
    if (is !== undefined && 'queue' in entry) add(entry.by, entry.queue ?? '', { is, at: entry.at })
  }
  return moments
}

function breakerNoticed(entry: Entry): 'opened' | 'closed' | undefined {
  if (entry.what !== 'noticed') return undefined
  if (entry.code === 'BREAKER_OPEN') return 'opened'
  return entry.code === 'BREAKER_CLOSED' ? 'closed' : undefined
}

class WatchedBreaker {
  /**
   * Since the last event that was handled. Whose lease was lost counts if that was heard of only when it was to be settled,
   * which nobody can tell.
   */
  #failures: { readonly at: number; readonly id: string; readonly surely: boolean }[] = []
  #open: { rest: number; until: number; tried: Run | undefined; succeeded: boolean } | undefined

  /** Says what is wrong about it. */
  sees(moment: Moment): string | undefined {
    switch (moment.is) {
      case 'start':
        return this.#starts(moment.run)
      case 'end':
        return this.#ends(moment.run, moment.at)
      case 'opened':
        return this.#opens(moment.at)
      case 'closed':
        return this.#closes()
    }
  }

  #starts(run: Run): string | undefined {
    const open = this.#open
    if (open === undefined) {
      const last = this.#failures.at(-1)?.at ?? 0
      return run.at > last + aMoment && this.#isDue(last, 'surely')
        ? `${run.id} started, but the breaker should have opened`
        : undefined
    }
    const soon = open.tried !== undefined || run.at < open.until - early
    open.tried = run
    return soon ? `${run.id} started while the breaker was open` : undefined
  }

  #ends(run: Run, at: number): undefined {
    const { end, hold, lost } = run
    if (end?.as === 'ok') {
      this.#failures = []
      if (this.#open !== undefined) this.#open.succeeded = true
      return
    }
    const counts = end?.as === 'failed' && hold.answer?.as !== 'release'
    if (this.#open === undefined) {
      if (counts) this.#failures.push({ at, id: run.id, surely: !lost })
    } else if (this.#open.tried === run) {
      if (counts && !lost) this.#open.rest = Math.min(2 * this.#open.rest, longestRest)
      this.#open.until = at + this.#open.rest
      this.#open.tried = undefined
    }
  }

  #opens(at: number): string | undefined {
    if (this.#open !== undefined) return 'the breaker opened twice'
    const due = this.#isDue(at, 'perhaps')
    this.#open = { rest: firstRest, until: at + firstRest, tried: undefined, succeeded: false }
    return due ? undefined : 'the breaker opened, but there were not so many failures'
  }

  #closes(): string | undefined {
    const why = this.#open?.succeeded === true ? undefined : 'the breaker closed, but nothing was handled'
    this.#open = undefined
    this.#failures = []
    return why
  }

  #isDue(now: number, how: 'surely' | 'perhaps'): boolean {
    const late = this.#failures.filter(
      ({ at, surely }) => now - at <= failureSpan && (surely || how === 'perhaps'),
    )
    return late.length >= failuresToOpen && new Set(late.map(({ id }) => id)).size >= eventsToOpen
  }
}
