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

/** The calls that put a letter of this event back, as far as that can be told: one without an answer did if it was handed out again. */
export function redrivesOf(queue: string, id: string, { redrives, holds }: Facts): readonly Redrive[] {
  const calls = redrives.filter((call) => call.queue === queue && call.ids.includes(id))
  const handedOut = holds.get(queue)?.get(id) ?? []
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
