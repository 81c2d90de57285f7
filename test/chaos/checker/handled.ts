import { outcomeOf, type Facts } from './facts.ts'
import { redrivesOf } from './redrives.ts'
import type { Violation } from './violation.ts'

/** Every event that was taken was handled, or is a dead letter, in every queue that subscribes to it; and so is every dead letter that was put back. */
export function handled(facts: Facts): Violation[] {
  const { events, queues, runs, dead } = facts
  const violations: Violation[] = []
  const letters = new Set(dead.map(({ queue, id }) => `${queue} ${id}`))
  for (const [id, { event, calls }] of events) {
    if (!calls.some((call) => outcomeOf(call, id) === 'taken')) continue
    for (const queue of queues) {
      if (!queue.types.includes(event.type)) continue
      // What was put back has to be handled after that.
      const since = redrivesOf(queue.name, id, facts).at(-1)?.called ?? -Infinity
      const ofEvent = runs.get(queue.name)?.get(id) ?? []
      const ended = ofEvent.some(({ at, end }) => at > since && end?.as === 'ok')
      if (ended || letters.has(`${queue.name} ${id}`)) continue
      const text = `${id} was taken, and was never handled in ${queue.name}, nor is it a dead letter`
      violations.push({ rule: 'handled', text, ids: [id], queue: queue.name })
    }
  }
  return violations
}
