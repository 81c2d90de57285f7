import type { Statements } from './statements.ts'

const last = 'SELECT max(seq) AS seq FROM events'
/**
 * All at once: a statement for each event, or a trigger, makes publishing a fifth slower. What stands there already is of
 * an event that somebody deleted by hand.
 */
const addBehind =
  'INSERT OR REPLACE INTO ready SELECT queue, seq, key FROM events WHERE seq > ? AND due IS NULL'
const add = 'INSERT INTO ready SELECT queue, seq, key FROM events WHERE seq = ?'

/** The place that events inserted from now on stand behind. Within a write transaction, as all of this. */
export function lastPlace(within: Statements): number {
  return within.get<{ seq: number | null }>(last)!.seq ?? 0
}

/** Makes those events ready that were inserted behind a place and are due. */
export function makeNewReady(within: Statements, place: number): void {
  within.run(addBehind, place)
}

/** Makes one ready that is due, and that nobody holds any more. */
export function makeReady(within: Statements, seq: number): void {
  within.run(add, seq)
}
