import { slotOf } from './schema.ts'
import { dueTime, takenHead } from './stored-data.ts'

/**
 * Puts rows into their queues, in the order in which they come; none if one of them is there. `isOrdered` tells whether a row's queue
 * has order by key.
 * @param rows all behind FROM
 */
export function insertRows(rows: string, isOrdered: string): string {
  return `
  INSERT INTO {messages} (queue, id, slot, type, key, head, data, bytes, due)
  SELECT queue, id, ${slotOf(isOrdered)}, type, key, ${takenHead}, data, bytes, ${dueTime}
  FROM ${rows}`
}

/** The same without those that are there. */
export function insertNewRows(rows: string, isOrdered: string): string {
  return `${insertRows(rows, isOrdered)} ON CONFLICT (queue, id) DO NOTHING`
}

/** The same as a part of WITH, behind one that is called `e`, in the order of its `n`. Rows without a queue are kept. */
export function insertOrKeepRows(isOrdered: string): string {
  return `
  kept AS (
    INSERT INTO {unrouted} (topic, due, id, type, key, head, data, bytes)
    SELECT topic, ${dueTime}, id, type, key, ${takenHead}, data, bytes FROM e WHERE queue IS NULL ORDER BY n
  ),
  taken AS (${insertNewRows('e WHERE queue IS NOT NULL ORDER BY n', isOrdered)} RETURNING queue)`
}
