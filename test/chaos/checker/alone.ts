import type { Facts } from './facts.ts'
import type { Violation } from './violation.ts'

/** While an event whose holder died is with a handler, no other starts in that process: it alone is to blame if this one dies, too. */
export function alone({ runs }: Pick<Facts, 'runs'>): Violation[] {
  const all = [...runs.values()].flatMap((ofQueue) => [...ofQueue.values()].flat())
  const violations: Violation[] = []
  for (const [process, own] of Map.groupBy(all, (run) => run.process)) {
    let lone: { readonly id: string; readonly until: number } | undefined
    for (const { id, queue, at, end, hold } of own.toSorted((a, b) => a.at - b.at)) {
      if (lone !== undefined && at < lone.until) {
        const text = `${id} started in ${process.name} beside ${lone.id}, whose holder had died`
        violations.push({ rule: 'alone', text, ids: [lone.id, id], queue })
      }
      if (hold.lapsed) lone = { id, until: end?.at ?? Infinity }
    }
  }
  return violations
}
