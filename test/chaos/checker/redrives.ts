import type { Entry } from '../history.ts'
import type { Facts, Hold } from './facts.ts'

/** A call that put dead letters back. */
export interface Redrive {
  readonly queue: string
  readonly ids: readonly string[]
  readonly replaces: boolean
  readonly called: number
  /** undefined: there is no answer. */
  count: number | undefined
}

export function redrivesIn(entries: readonly Entry[]): readonly Redrive[] {
  const calls = new Map<string, Redrive>()
  for (const entry of entries) {
    if (entry.what === 'redriving') {
      const { call, queue, ids, replaces, at } = entry
      calls.set(call, { queue, ids, replaces, called: at, count: undefined })
    } else if (entry.what === 'redriven') {
      const call = calls.get(entry.call)
      if (call === undefined) throw new Error(`There was no call ${entry.call}`)
      call.count = entry.count
    }
  }
  return [...calls.values()]
}

/** The calls that named a letter of each event, by queue and id. */
export function callsByEvent(redrives: readonly Redrive[]): ReadonlyMap<string, readonly Redrive[]> {
  const named = redrives.flatMap((call) => call.ids.map((id) => ({ name: `${call.queue} ${id}`, call })))
  const groups = Map.groupBy(named, ({ name }) => name)
  return new Map([...groups].map(([name, group]) => [name, group.map(({ call }) => call)]))
}

/** The calls that named a letter of this event. */
export function callsFor(
  queue: string,
  id: string,
  { redrivesByEvent }: Pick<Facts, 'redrivesByEvent'>,
): readonly Redrive[] {
  return redrivesByEvent.get(`${queue} ${id}`) ?? []
}

/** The calls that put a letter of this event back, as far as that can be told: one without an answer did if it was handed out again. */
export function redrivesOf(queue: string, id: string, facts: Facts): readonly Redrive[] {
  const calls = callsFor(queue, id, facts)
  const handedOut = facts.holds.get(queue)?.get(id) ?? []
  return calls.filter(({ called, count, ids }, i) => {
    if (count === ids.length) return true
    const until = calls[i + 1]?.called ?? Infinity
    return count !== 0 && handedOut.some(({ claimed }) => claimed > called && claimed < until)
  })
}

/** The lives of an event: from the first to its death, and from each redrive on. */
export function livesIn(queue: string, id: string, facts: Facts): readonly (readonly Hold[])[] {
  const ends = redrivesOf(queue, id, facts).map(({ called }) => called)
  const holds = facts.holds.get(queue)?.get(id) ?? []
  return [...ends, Infinity].map((end, i) => {
    const began = ends[i - 1] ?? -Infinity
    return holds.filter(({ claimed }) => claimed > began && claimed < end)
  })
}
