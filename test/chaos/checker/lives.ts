import type { Entry } from '../history.ts'

/** Times are milliseconds by the monotonic clock; Infinity: never. */
export type Span = readonly [from: number, to: number]

/** What befell one process. */
export interface Process {
  readonly name: string
  /** When it was killed, by the harness or by an event: nothing it did later counts. */
  killed: number
  stopping: number
  /** From when on its stop gives up what still runs. */
  gaveUp: number
  /** When its stop was done. */
  stopped: number
  /** When it could not do anything, or not reach the system; ascending. */
  cutOff: readonly Span[]
  /** When it stood still, frozen or by itself. */
  stoodStill: readonly Span[]
}

/** The connection was as bad between two complaints about it: what goes on is said again after four seconds at the latest. */
const complaintsApart = 6_000

/** The processes, by name. */
export function livesOf(entries: readonly Entry[]): ReadonlyMap<string, Process> {
  const processes = new Map<string, Process>()
  const named = (name: string): Process => {
    const process = processes.get(name) ?? {
      name,
      killed: Infinity,
      stopping: Infinity,
      gaveUp: Infinity,
      stopped: Infinity,
      cutOff: [],
      stoodStill: [],
    }
    processes.set(name, process)
    return process
  }
  const lastWords = new Map<string, number>()
  for (const entry of entries) {
    lastWords.set(entry.by, entry.at)
    if (entry.what === 'killed') named(entry.of).killed = entry.at
    else if (entry.what === 'gone' && entry.signal !== null && named(entry.of).killed === Infinity) {
      // An event killed it, right behind its last line.
      named(entry.of).killed = lastWords.get(entry.of) ?? entry.at
    } else if (entry.what === 'stopping') {
      named(entry.by).stopping = entry.at
      named(entry.by).gaveUp = entry.at + entry.timeout
    } else if (entry.what === 'stopped') named(entry.by).stopped = entry.at
    else named(entry.by)
  }
  const disturbances = disturbancesIn(entries)
  const about = Map.groupBy(entries, (entry) => ('of' in entry ? entry.of : entry.by))
  for (const process of processes.values()) {
    const own = about.get(process.name) ?? []
    const frozen = freezesIn(own)
    process.cutOff = joined([...disturbances, ...frozen, ...complaintsIn(own)], complaintsApart)
    process.stoodStill = joined([...frozen, ...stallsIn(own)], 0)
  }
  return processes
}

function disturbancesIn(entries: readonly Entry[]): readonly Span[] {
  const spans: Span[] = []
  let began = Infinity
  for (const { what, at } of entries) {
    if (what === 'disturbed') began = at
    else if (what === 'whole') {
      spans.push([began, at])
      began = Infinity
    }
  }
  return began === Infinity ? spans : [...spans, [began, Infinity]]
}

/** What is over seems to go on for so long to who has to connect again, in milliseconds. */
const reconnecting = 4_000

/**
 * Whether a lease that is renewed as it should be may end in this span: its process was cut off or stood still for so long that half
 * of one may have passed; or another stood still for as long, for who does so in the middle of a write keeps all others from theirs.
 */
export function mayLose(
  { cutOff, stoodStill }: Process,
  [from, to]: Span,
  others: Iterable<Process>,
  lease: number,
): boolean {
  const own = [...cutOff, ...stoodStill].filter(([began, ended]) => ended - began + reconnecting > lease / 2)
  const long = [...others]
    .flatMap((other) => other.stoodStill)
    .filter(([began, ended]) => ended - began > lease / 2)
  return [...own, ...long].some(([began, ended]) => began <= to && ended >= from)
}

/** When it said itself that it cannot reach the system. */
function complaintsIn(entries: readonly Entry[]): readonly Span[] {
  return entries
    .filter((entry) => entry.what === 'noticed' && entry.code === 'CONNECTION_LOST')
    .map(({ at }) => [at, at])
}

function stallsIn(entries: readonly Entry[]): readonly Span[] {
  return entries.flatMap((entry): readonly Span[] =>
    entry.what === 'stalled' ? [[entry.at - entry.ms, entry.at]] : [],
  )
}

function freezesIn(entries: readonly Entry[]): readonly Span[] {
  const spans: Span[] = []
  let frozen = Infinity
  for (const entry of entries) {
    if (entry.what === 'frozen') frozen = entry.at
    else if (entry.what === 'thawed') {
      spans.push([frozen, entry.at])
      frozen = Infinity
    }
  }
  return frozen === Infinity ? spans : [...spans, [frozen, Infinity]]
}

/** Those that are at most so many milliseconds apart become one. */
function joined(spans: readonly Span[], apart: number): readonly Span[] {
  const result: [number, number][] = []
  for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
    const last = result.at(-1)
    if (last !== undefined && from - last[1] <= apart) last[1] = Math.max(last[1], to)
    else result.push([from, to])
  }
  return result
}
