import type { Outcome } from './chaos.ts'
import type { Violation } from './checker/violation.ts'
import type { Entry } from './history.ts'

/** What came out, for people: the counts; and if a promise was broken, each breach, and the shortest history of one. */
export function reportOf(system: string, { seed, counts, violations, entries, folder }: Outcome): string {
  const { repeats, sentAgain, ...rest } = counts
  const list = (record: object): string =>
    Object.entries(record)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')
  const lines = [`${system}, seed ${seed}: ${list(rest)}; repeats: ${list(repeats) || 'none'}`]
  if (sentAgain !== undefined) lines.push(`relays sent again: ${list(sentAgain) || 'nothing'}`)
  if (violations.length > 0) {
    lines.push(`${violations.length} promises broken; histories in ${folder}`)
    lines.push(...violations.slice(0, 20).map(({ rule, text }) => `  ${rule}: ${text}`))
    lines.push('', ...shortestHistory(violations, entries))
  }
  return lines.join('\n')
}

function shortestHistory(violations: readonly Violation[], entries: readonly Entry[]): readonly string[] {
  const histories = violations
    .filter(({ ids }) => ids.length > 0)
    .slice(0, 100)
    .map((violation) => ({ violation, history: historyFor(violation, entries) }))
  const shortest = histories.toSorted((a, b) => a.history.length - b.history.length)[0]
  if (shortest === undefined) return []
  const began = shortest.history[0]?.at ?? 0
  return [
    shortest.violation.text,
    ...shortest.history.map(
      ({ at, ...entry }) => `${((at - began) / 1_000).toFixed(3)} ${JSON.stringify(entry)}`,
    ),
  ]
}

/** All that was written of these events in this queue, and what befell the processes that had them while they had them. */
function historyFor({ ids, queue }: Violation, entries: readonly Entry[]): readonly Entry[] {
  const calls = new Set<string>()
  const runs = new Set<string>()
  const concerned = entries.flatMap((entry): readonly Entry[] => {
    if (entry.what === 'claimed') {
      if (queue !== undefined && entry.queue !== queue) return []
      const events = entry.events.filter(({ id }) => ids.includes(id))
      for (const { run } of events) runs.add(`${entry.by} ${run}`)
      return events.length > 0 ? [{ ...entry, events }] : []
    }
    if (entry.what === 'settled') {
      const answers = entry.answers.filter(({ run }) => runs.has(`${entry.by} ${run}`))
      return answers.length > 0 ? [{ ...entry, answers }] : []
    }
    if (entry.what === 'redriving' && entry.ids.some((id) => ids.includes(id))) calls.add(entry.call)
    if (entry.what === 'publishing' && entry.events.some(({ id }) => ids.includes(id))) calls.add(entry.call)
    return isConcerned(entry, ids, queue, calls, runs) ? [entry] : []
  })
  const [first, last] = [concerned[0]?.at ?? 0, concerned.at(-1)?.at ?? 0]
  const processes = new Set(concerned.map(({ by }) => by))
  const around = entries.filter((entry) => {
    if (entry.at < first || entry.at > last) return false
    if (entry.what === 'disturbed' || entry.what === 'whole') return true
    if ('of' in entry) return processes.has(entry.of)
    return processes.has(entry.by) && ['up', 'stalled', 'stopping', 'stopped', 'stepped'].includes(entry.what)
  })
  return [...concerned, ...around].toSorted((a, b) => a.at - b.at)
}

function isConcerned(
  entry: Entry,
  ids: readonly string[],
  queue: string | undefined,
  calls: ReadonlySet<string>,
  runs: ReadonlySet<string>,
): boolean {
  if ('call' in entry) return calls.has(entry.call)
  if (entry.what === 'start' || entry.what === 'end') return runs.has(`${entry.by} ${entry.run}`)
  if (entry.what !== 'letter' && entry.what !== 'noticed') return false
  return ids.includes(entry.id ?? '') && (queue === undefined || entry.queue === queue)
}
