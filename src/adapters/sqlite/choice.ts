import type { SQLInputValue } from 'node:sqlite'
import type { Database } from './database.ts'
import type { EventRow } from './stored-event.ts'

/** A claim ends early above this: 128 events of 100 MiB would not fit into memory. In bytes. */
export const enoughData = 32 * 1024 * 1024

/** The events that a claim takes. */
export interface Choice {
  /** In their order. */
  readonly rows: readonly EventRow[]
  /** Whether there may be others that this claim did not get to. */
  readonly more: boolean
  /** How many rows of the ready list it has read past, since they may not be claimed, and up to which place it has read. */
  readonly past: number
  readonly end: number
}

type Nothing = readonly [seq: number, ...columns: null[]]
const forgetDeleted =
  'DELETE FROM ready WHERE queue = :queue AND seq <= :last AND NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = ready.seq AND e.queue = :queue)'

/** Reads the events that a statement gives of the ready list, as many as there is memory for. */
export function choose(
  database: Database,
  sql: string,
  values: Readonly<Record<string, SQLInputValue>>,
): Choice {
  const rows: EventRow[] = []
  let size = 0
  let lastDeleted: number | undefined
  for (const row of database.each<EventRow | Nothing>(sql, values)) {
    if (row[1] === null) lastDeleted = row[0]
    else {
      rows.push(row as EventRow)
      size += (row as EventRow)[7].length
      if (size >= enoughData) break
    }
  }
  // Somebody deleted them by hand.
  if (lastDeleted !== undefined) database.run(forgetDeleted, { ...values, last: lastDeleted })
  const more = size >= enoughData || lastDeleted !== undefined
  return { rows, more, past: 0, end: rows.at(-1)?.[0] ?? 0 }
}
