import { outcomeOf, type Call, type Facts } from './facts.ts'
import type { Violation } from './violation.ts'

/** Nothing is handled that was not published, or was refused, or that the queue does not subscribe to; nor changed on its way. */
export function published({ events, copies, queues, runs }: Facts): Violation[] {
  const violations: Violation[] = []
  for (const [queue, handled] of runs) {
    const subscribed = queues.find(({ name }) => name === queue)?.types ?? []
    for (const [id, [run]] of handled) {
      const wrong = (text: string): void =>
        void violations.push({
          rule: 'published',
          text: `${id} ${text}, and started in ${queue}`,
          ids: [id],
          queue,
        })
      const known = events.get(id)
      if (known === undefined) wrong('was never published')
      else if (!known.calls.some((call) => outcomeOf(call, id) !== 'rejected')) wrong('was rejected')
      else if (run === undefined || !(run.at >= (copies.get(id)?.[0]?.from ?? Infinity)))
        wrong('had not come there yet')
      else if (!subscribed.includes(known.event.type))
        wrong(`is ${known.event.type}, which is not subscribed to`)
      else if (run.type !== known.event.type || run.key !== known.event.key) wrong('has another type or key')
    }
  }
  return violations
}

/** Behind an event that was not taken, no other of its key is taken in the same call. */
export function takenInOrder({ calls }: Pick<Facts, 'calls'>): Violation[] {
  return calls.flatMap((call) => overtakenIn(call))
}

function overtakenIn({ events, results }: Call): Violation[] {
  const violations: Violation[] = []
  const failed = new Map<string, string>()
  events.forEach(({ id, key }, i) => {
    if (key === undefined) return
    const before = failed.get(key)
    if (results[i] !== 'taken') failed.set(key, before ?? id)
    else if (before !== undefined) {
      const text = `${id} was taken, but not ${before}, which stood before it with the same key`
      violations.push({ rule: 'taken in order', text, ids: [before, id] })
    }
  })
  return violations
}
