import { outcomeOf, type Call, type Facts, type Hold } from './facts.ts'
import type { Violation } from './violation.ts'

/** What the order of one event's key says about it in one queue. */
interface Place {
  readonly id: string
  readonly key: string
  /** The first call that may have brought it. */
  readonly call: Call
  readonly index: number
  /** When a publish of it first resolved. */
  readonly taken: number
  /** When it first started. */
  readonly started: number
  /** When it stood in the way of the next of its key no more. */
  readonly gone: number
}

/**
 * If b was published after a was taken, or stands behind a in one call, and both have one key, b does not start before a
 * is settled, or, where others may pass, has gone to a retry. Delayed events have their place where they become due.
 */
export function order(facts: Facts): Violation[] {
  return facts.queues
    .filter((queue) => queue.order !== 'none')
    .flatMap(({ name, order: kept }) => {
      const byKey = Map.groupBy(placesIn(facts, name, kept === 'pass'), ({ key }) => key)
      return [...byKey.values()].flatMap((places) => overtaken(places, name))
    })
}

function placesIn(facts: Facts, queue: string, mayPass: boolean): readonly Place[] {
  const subscribed = facts.queues.find(({ name }) => name === queue)?.types ?? []
  return [...facts.events].flatMap(([id, { event, calls }]) => {
    const call = calls.find((one) => outcomeOf(one, id) !== 'rejected')
    if (event.key === undefined || event.deliverAt !== undefined || call === undefined) return []
    if (!subscribed.includes(event.type)) return []
    const taken = calls.find((one) => outcomeOf(one, id) === 'taken')
    const runs = facts.runs.get(queue)?.get(id) ?? []
    return {
      id,
      key: event.key,
      call,
      index: call.events.findIndex((one) => one.id === id),
      taken: taken?.answered ?? Infinity,
      started: runs[0]?.at ?? Infinity,
      gone: goneAt(facts.holds.get(queue)?.get(id) ?? [], facts.attempts, mayPass),
    }
  })
}

function goneAt(holds: readonly Hold[], attempts: number, mayPass: boolean): number {
  const endings = holds.flatMap(({ attempt, claimed, started }) => {
    // Crashes have used them up, which is seen when it is handed out.
    if (attempt > attempts) return claimed
    const end = started?.end
    if (end === undefined) return []
    const decided = end.as === 'ok' || end.as === 'fatal' || (end.as === 'failed' && attempt >= attempts)
    const waits = end.as === 'failed' || end.as === 'deferred'
    return decided || (mayPass && waits) ? end.at : []
  })
  return Math.min(...endings, Infinity)
}

/** Of one key. Looks for each event at the one before it that stood in the way for longest. */
function overtaken(places: readonly Place[], queue: string): Violation[] {
  const violations: Violation[] = []
  const report = (before: Place | undefined, place: Place): void => {
    if (before === undefined || before.gone <= place.started || place.started === Infinity) return
    const text = `${place.id} started in ${queue} before ${before.id} of the same key was done with`
    violations.push({ rule: 'order', text, ids: [before.id, place.id], queue })
  }
  const slower = (a: Place | undefined, b: Place): Place => (a === undefined || b.gone > a.gone ? b : a)

  const byTaken = places.toSorted((a, b) => a.taken - b.taken)
  const byCalled = places.toSorted((a, b) => a.call.called - b.call.called)
  let slowest: Place | undefined
  let next = 0
  for (const place of byCalled) {
    for (; next < byTaken.length && byTaken[next]!.taken < place.call.called; next++)
      slowest = slower(slowest, byTaken[next]!)
    report(slowest, place)
  }
  for (const [call, group] of Map.groupBy(places, (place) => place.call)) {
    let slowestInCall: Place | undefined
    for (const place of group.toSorted((a, b) => a.index - b.index)) {
      report(slowestInCall, place)
      if (outcomeOf(call, place.id) === 'taken') slowestInCall = slower(slowestInCall, place)
    }
  }
  return violations
}
