import type { Facts } from './facts.ts'
import type { Span } from './lives.ts'
import type { Violation } from './violation.ts'

/** What a stop may take beyond its timeout. */
const grace = 2_000

/** A stop ends in time, however the system is; what its process stood still meanwhile is not its fault. */
export function stopsInTime({ entries, processes }: Pick<Facts, 'entries' | 'processes'>): Violation[] {
  const last = entries.at(-1)?.at ?? 0
  return [...processes.values()].flatMap(({ name, stopping, stopped, gaveUp, killed, stoodStill }) => {
    const until = Math.min(stopped, killed, last)
    const late = until - gaveUp - grace - timeIn(stoodStill, [stopping, until])
    if (!(late > 0)) return []
    const text = `${name} stopped ${Math.round(late)} ms later than it may, or not at all`
    return [{ rule: 'stops', text, ids: [] }]
  })
}

/** How much of the span is in these, in milliseconds. */
function timeIn(spans: readonly Span[], [from, to]: Span): number {
  return spans.reduce(
    (sum, [began, ended]) => sum + Math.max(Math.min(ended, to) - Math.max(began, from), 0),
    0,
  )
}
