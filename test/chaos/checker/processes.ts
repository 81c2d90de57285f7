import { couldNotStart } from '../exit-codes.ts'
import type { Entry } from '../history.ts'
import type { Evidence } from './facts.ts'
import type { Violation } from './violation.ts'

/**
 * No process ends by itself, and each ends when it is told to; one may fail to start while the system cannot be reached, or another
 * stands still, which may be in the middle of a write.
 */
export function processes({ entries }: Pick<Evidence, 'entries'>): Violation[] {
  const violations: Violation[] = []
  const spawned = new Map<string, number>()
  let disturbed = 0
  /** When the latest of that was over. */
  let whole = -Infinity
  for (const entry of entries) {
    if (entry.what === 'spawned') spawned.set(entry.of, entry.at)
    else if (entry.what === 'disturbed' || entry.what === 'frozen') disturbed++
    else if (entry.what === 'whole' || entry.what === 'thawed') {
      disturbed--
      whole = entry.at
    } else if (entry.what === 'overdue') {
      const text = `${entry.of} did not end when it was told to: ${lastWords(entries, entry)}`
      violations.push({ rule: 'processes', text, ids: [] })
    } else if (entry.what === 'gone' && entry.signal === null && entry.code !== 0) {
      const hindered = disturbed > 0 || whole > (spawned.get(entry.of) ?? 0)
      if (entry.code === couldNotStart && hindered) continue
      const text = `${entry.of} ended by itself with code ${entry.code}: ${lastWords(entries, entry)}`
      violations.push({ rule: 'processes', text, ids: [] })
    }
  }
  return violations
}

function lastWords(entries: readonly Entry[], { of }: { readonly of: string }): string {
  const said = entries.findLast((entry) => entry.what === 'noticed' && entry.by === of)
  return said?.what === 'noticed' ? `${said.message} [${said.code}]` : 'see what it printed'
}
