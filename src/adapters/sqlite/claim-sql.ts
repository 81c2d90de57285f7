import { messageColumns, otherColumns } from './stored-event.ts'

/** A claim looks at so many rows more than it wants. */
export const window = 256

const anyParked = 'EXISTS (SELECT 1 FROM messages WHERE parked = 1 AND queue = :queue)'
const anyAside =
  'EXISTS (SELECT 1 FROM messages INDEXED BY aside WHERE queue = :queue AND due IS NULL AND aside = 1)'
/**
 * Another of the key keeps the row back: one before it is parked or aside, or one is held. `held` says which of those that
 * are held count. Mostly nothing at all is parked or aside, which is asked once for all rows.
 */
const isBehind = (row: 'm' | 'l', held: string): string => `(
  EXISTS (SELECT 1 FROM held h WHERE h.queue = :queue AND h.key = ${row}.key AND ${held})
  OR (${anyParked} AND EXISTS (
    SELECT 1 FROM messages p WHERE p.parked = 1 AND p.queue = :queue AND p.key = ${row}.key AND p.seq < ${row}.seq
  ))
  OR (${anyAside} AND EXISTS (
    SELECT 1 FROM messages a INDEXED BY aside
    WHERE a.queue = :queue AND a.due IS NULL AND a.aside = 1 AND a.key = ${row}.key AND a.seq < ${row}.seq
  ))
)`
/**
 * Nobody else has an event of the key, none before it has lost its holder, and none before it is parked or aside. Claims
 * are serialised by BEGIN IMMEDIATE, so what they read is the truth until they commit. If this is false for one event of
 * a key, it is for all behind it. What has lost its holder runs at once, so the claimant may have none of the key either.
 */
const keyIsFree = (row: 'm' | 'l'): string => {
  const isTaken = row === 'm' ? 'h.owner <> :owner' : 'TRUE'
  return `(${row}.key IS NULL OR NOT ${isBehind(row, `iif(h.lease > :monotonic, ${isTaken}, h.seq < ${row}.seq)`)})`
}

const nobodyHolds = 'NOT EXISTS (SELECT 1 FROM held WHERE held.seq = m.seq)'
const allReady = `FROM messages m INDEXED BY ready WHERE m.queue = :queue AND m.due IS NULL AND m.aside = 0 AND ${nobodyHolds}`
const allLapsed = 'FROM held l INDEXED BY held_lease WHERE l.queue = :queue AND l.lease <= :monotonic'

/** The first rows of the ready list. A window of -1 is the whole list. */
const inWindow = `FROM (SELECT m.seq, m.key ${allReady} ORDER BY m.seq LIMIT :window) m`

const waiting = (steady: 0 | 1, due: string): string =>
  `FROM messages INDEXED BY waiting WHERE queue = :queue AND steady = ${steady} AND due ${due}`

const view = (ready: string, lapsed: string): string => `SELECT
  ${ready} OR EXISTS (SELECT 1 ${waiting(0, '<= :now')}) OR EXISTS (SELECT 1 ${waiting(1, '<= :steady')}) AS ready,
  EXISTS (SELECT 1 ${lapsed}) AS lapsed,
  (SELECT min(due) ${waiting(0, '> :now')}) AS due,
  (SELECT min(due) ${waiting(1, '> :steady')}) AS wait,
  (SELECT min(lease) FROM held INDEXED BY held_lease WHERE queue = :queue AND lease > :monotonic) AS lease`

const endOfWindow = `(SELECT iif(count(*) = :window, max(m.seq), ${Number.MAX_SAFE_INTEGER}) ${inWindow})`
/**
 * Of the key, what was given back stands before what lost its holder later in the order. What lost it behind the window
 * waits for all that is ready before, so that no claim reads that.
 */
const lapsedByKey = `${allLapsed} AND (l.key IS NULL OR (l.seq < ${endOfWindow} AND ${keyIsFree('l')}
  AND NOT EXISTS (SELECT 1 ${allReady} AND m.seq < l.seq AND m.key = l.key)))`
/** A window that is full of events whose keys are taken: a claim looks further, and sets them aside. */
const readyByKey = `(EXISTS (SELECT 1 ${inWindow} WHERE ${keyIsFree('m')})
  OR (SELECT count(*) ${inWindow}) = :window)`

export const unordered = {
  view: view(`EXISTS (SELECT 1 ${allReady})`, allLapsed),
  hasLapsed: `SELECT EXISTS (SELECT 1 ${allLapsed}) AS lapsed`,
  lapsed: `SELECT l.seq, l.key, l.lone ${allLapsed} ORDER BY l.seq LIMIT :limit`,
}

export const ordered = {
  view: view(readyByKey, lapsedByKey),
  hasLapsed: `SELECT EXISTS (SELECT 1 ${lapsedByKey}) AS lapsed`,
  lapsed: `SELECT l.seq, l.key, l.lone ${lapsedByKey} ORDER BY l.seq LIMIT :limit`,
}

/** The place of the first of a key in `from`, or behind all. */
const firstOfKey = (from: string): string =>
  `ifnull((SELECT min(seq) FROM ${from} AND queue = :queue AND key = :key), ${Number.MAX_SAFE_INTEGER})`

export const aside = {
  set: 'UPDATE messages SET aside = 1 WHERE seq IN (SELECT value FROM json_each(?))',
  /** Which of these keys have rows aside, and the place of the first. */
  keys: `SELECT k.value, (
    SELECT min(m.seq) FROM messages m INDEXED BY aside
    WHERE m.queue = :queue AND m.due IS NULL AND m.aside = 1 AND m.key = k.value
  ) AS first FROM json_each(:keys) k WHERE first IS NOT NULL`,
  /** What is ready already. */
  beside: `SELECT m.seq, m.key ${inWindow}`,
  /** Returns the first of a key, up to what still keeps the others back. */
  bringBack: `UPDATE messages SET aside = 0 WHERE seq IN (
    SELECT m.seq FROM messages m INDEXED BY aside
    WHERE m.queue = :queue AND m.due IS NULL AND m.aside = 1 AND m.key = :key AND m.seq <= min(
      ${firstOfKey('held INDEXED BY held_key WHERE key IS NOT NULL')},
      ${firstOfKey('messages INDEXED BY parked WHERE parked = 1')}
    ) ORDER BY m.seq LIMIT :count
  )`,
}

/** How many rows that became due are promoted at a time, so that a million at once stop nobody for long. */
const promoted = 256
const isDue = (steady: 0 | 1, time: string): string =>
  `SELECT seq FROM (SELECT seq ${waiting(steady, `<= ${time}`)} ORDER BY due LIMIT ${promoted})`
/** Costs less than to find that there is nothing to promote. */
export const anyDue = `SELECT 1 ${waiting(0, '<= :now')} UNION ALL SELECT 1 ${waiting(1, '<= :steady')} LIMIT 1`
export const promote = `UPDATE messages SET due = NULL WHERE seq IN (
  ${isDue(0, ':now')} UNION ALL ${isDue(1, ':steady')}
)`

/** Free: to be claimed. Behind: another of its key stands before it, which somebody else will settle. Kept: neither. */
export const state = { free: 0, behind: 1, kept: 2 } as const
const stateOf = `CASE WHEN ${keyIsFree('m')} THEN ${state.free}
  WHEN ${isBehind('m', 'h.seq < m.seq AND (h.owner <> :owner OR h.lease <= :monotonic)')} THEN ${state.behind}
  ELSE ${state.kept} END`

/** What is ready, in its order: read row by row, no further than a claim needs to. */
export const ready = {
  all: `SELECT ${messageColumns} ${allReady} ORDER BY m.seq LIMIT :limit`,
  /** Of what is not free, only the place and the state. The limit keeps SQLite from finding out the state twice. */
  byKey: `SELECT c.seq, ${otherColumns}, c.state FROM (
    SELECT m.seq AS seq, ${stateOf} AS state ${allReady} ORDER BY m.seq LIMIT -1 OFFSET 0
  ) c LEFT JOIN messages m ON c.state = ${state.free} AND m.seq = c.seq`,
}
export const hold = {
  all: 'INSERT INTO held SELECT value, :queue, NULL, :owner, :claim, :lease, 0 FROM json_each(:seqs)',
  /** The key is kept only where it is looked for. */
  byKey: `INSERT INTO held SELECT m.seq, m.queue, m.key, :owner, :claim, :lease, 0
    FROM json_each(:seqs) s CROSS JOIN messages m ON m.seq = s.value`,
}
