import type { Entry } from '../history.ts'
import type { Facts, Run } from './facts.ts'
import type { Process } from './lives.ts'

/** From when on the wall clock of a process was off by so many milliseconds. */
interface Setting {
  readonly from: number
  readonly off: number
}

/** How the wall clocks were set, by the names of their processes. */
export type Clocks = ReadonlyMap<string, readonly Setting[]>

export function clocksIn(entries: readonly Entry[]): Clocks {
  const clocks = new Map<string, Setting[]>()
  for (const entry of entries) {
    if (entry.what !== 'stepped') continue
    const settings = clocks.get(entry.by) ?? [{ from: -Infinity, off: 0 }]
    clocks.set(entry.by, settings)
    settings.push({ from: entry.at, off: (settings.at(-1)?.off ?? 0) + entry.ms })
  }
  return clocks
}

/** Whether the clock was set in this time. */
export function wasSet(
  { name }: Process,
  from: number,
  to: number,
  { clocks }: Pick<Facts, 'clocks'>,
): boolean {
  return clocks.get(name)?.some((setting) => setting.from >= from && setting.from <= to) === true
}

/** How long the wait that the run has asked for may seem to a process whose clock is behind. 0: it has asked for none. */
export function longestWait({ end, process }: Run, { clocks }: Pick<Facts, 'clocks'>): number {
  if (end?.wait === undefined) return 0
  const all = [...clocks.values()].flatMap((settings) => settings.map(({ off }) => off))
  return end.wait + offAt(process, end.at, clocks) - Math.min(0, ...all)
}

function offAt({ name }: Process, at: number, clocks: Clocks): number {
  return clocks.get(name)?.findLast(({ from }) => from <= at)?.off ?? 0
}

/** What a clock that nobody has set showed at that moment: another moment of a process tells. */
export function dateOf(moment: number, { now, at, process }: Run, { clocks }: Pick<Facts, 'clocks'>): number {
  return now - offAt(process, at, clocks) - (at - moment)
}

/**
 * Whether this date had come when the run started: by the clock of its process, or by one that is ahead of it, or was, for
 * whoever sees first that an event is due says so to all.
 */
export function hadCome(date: number, { now, at, process }: Run, { clocks, processes }: Facts): boolean {
  const off = offAt(process, at, clocks)
  if (now >= date) return true
  for (const { name, killed, stopped } of processes.values()) {
    const settings = clocks.get(name) ?? [{ from: -Infinity, off: 0 }]
    for (const [i, { from, off: ahead }] of settings.entries()) {
      if (from > at || ahead <= off) continue
      const until = Math.min(at, settings[i + 1]?.from ?? Infinity, killed, stopped)
      // Clocks show whole milliseconds.
      if (now - off - (at - until) + ahead + 1 >= date) return true
    }
  }
  return false
}
