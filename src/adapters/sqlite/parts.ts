import { MillraceError } from '../../errors/millrace-error.ts'
import type { Database } from './database.ts'

/**
 * Tables that a file has once somebody uses them. All are called `millrace_...`: users may have made tables of their own there
 * before. They count their versions apart from the format of the file, so that a file which only carries events never changes
 * with them, and the other way round.
 */
export interface Part {
  readonly name: string
  /**
   * What makes version n + 1 out of version n, by n, beginning with nothing. Never changed once released; what a process of the
   * older version must not go on doing has to fail from then on.
   */
  readonly steps: readonly string[]
}

/**
 * Makes the tables of the part, or brings them forward. Within a write transaction, so that one process does it.
 * @throws MillraceError STORE_INCOMPATIBLE
 */
export function bringPartForward(database: Database, { name, steps }: Part): void {
  database.script(
    'CREATE TABLE IF NOT EXISTS millrace_parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT',
  )
  const found =
    database.get<{ version: number }>('SELECT version FROM millrace_parts WHERE name = ?', name)?.version ?? 0
  if (found > steps.length) {
    const message = `${database.path} has version ${found} of its ${name}; this version of millrace reads versions up to ${steps.length}`
    throw new MillraceError('STORE_INCOMPATIBLE', message)
  }
  if (found === steps.length) return
  for (const step of steps.slice(found)) database.script(step)
  database.run('INSERT OR REPLACE INTO millrace_parts VALUES (?, ?)', name, steps.length)
}
