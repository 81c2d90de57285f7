import type { SQLInputValue } from 'node:sqlite'
import type { Database } from './database.ts'
import type { MessageRow } from './stored-event.ts'

/** A claim ends early above this: 128 events of 100 MiB would not fit into memory. In bytes. */
export const enoughData = 32 * 1024 * 1024

/** The events that a claim takes. */
export interface Choice {
  /** In their order. */
  readonly rows: readonly MessageRow[]
  /** Whether there may be others that this claim did not get to. */
  readonly more: boolean
}

/** Reads the messages that a statement gives, as many as there is memory for. */
export function choose(
  database: Database,
  sql: string,
  values: Readonly<Record<string, SQLInputValue>>,
): Choice {
  const rows: MessageRow[] = []
  let size = 0
  for (const row of database.each<MessageRow>(sql, values)) {
    rows.push(row)
    size += row[7].length
    if (size >= enoughData) return { rows, more: true }
  }
  return { rows, more: false }
}
