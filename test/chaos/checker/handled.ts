import { outcomeOf, type Facts } from './facts.ts'
import type { Violation } from './violation.ts'

/** Every event that was taken was handled, or is a dead letter, in every queue that subscribes to it. */
export function handled({ events, queues, runs, dead }: Facts): Violation[] {
  const violations: Violation[] = []
  const letters = new Set(dead.map(({ queue, id }) => `${queue} ${id}`))
  for (const [id, { event, calls }] of events) {
    if (!calls.some((call) => outcomeOf(call, id) === 'taken')) continue
    for (const queue of queues) {
      if (!queue.types.includes(event.type)) continue
      const ended =
        runs
          .get(queue.name)
          ?.get(id)
          ?.some(({ end }) => end?.as === 'ok') === true
      if (ended || letters.has(`${queue.name} ${id}`)) continue
      const text = `${id} was taken, and was never handled in ${queue.name}, nor is it a dead letter`
      violations.push({ rule: 'handled', text, ids: [id], queue: queue.name })
    }
  }
  return violations
}
