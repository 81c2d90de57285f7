import { eventColumns } from './stored-event.ts'

/** The view of a session, and claims of what has lapsed, look at so many rows of the ready list. */
export const window = 256

const anyParked = 'EXISTS (SELECT 1 FROM events WHERE parked = 1 AND queue = :queue)'
const anyAside = 'EXISTS (SELECT 1 FROM aside WHERE queue = :queue)'
/**
 * Another of the key keeps the row back: one before it is parked or aside, or one is held. `held` says which of those that
 * are held count. Mostly nothing at all is parked or aside, which is asked once for all rows.
 */
const isBehind = (row: 'r' | 'l', held: string): string => `(
  EXISTS (SELECT 1 FROM held h WHERE h.queue = :queue AND h.key = ${row}.key AND ${held})
  OR (${anyParked} AND EXISTS (
    SELECT 1 FROM events p WHERE p.parked = 1 AND p.queue = :queue AND p.key = ${row}.key AND p.seq < ${row}.seq
  ))
  OR (${anyAside} AND EXISTS (
    SELECT 1 FROM aside a WHERE a.queue = :queue AND a.key = ${row}.key AND a.seq < ${row}.seq
  ))
)`
/**
 * Nobody else has an event of the key, none before it has lost its holder, and none before it is parked or aside. Claims
 * are serialised by BEGIN IMMEDIATE, so what they read is the truth until they commit. If this is false for one event of
 * a key, it is for all behind it. What has lost its holder runs at once, so the claimant may have none of the key either.
 */
const keyIsFree = (row: 'r' | 'l'): string => {
  const isTaken = row === 'r' ? 'h.holder <> :holder' : 'TRUE'
  return `(${row}.key IS NULL OR NOT ${isBehind(row, `iif(h.lease > :monotonic, ${isTaken}, h.seq < ${row}.seq)`)})`
}

const allLapsed = 'FROM held l INDEXED BY held_lease WHERE l.queue = :queue AND l.lease <= :monotonic'

/** The first rows of the ready list. A window of -1 is the whole list. */
const inWindow = 'FROM (SELECT seq, key FROM ready WHERE queue = :queue ORDER BY seq LIMIT :window) r'

const waiting = (steady: 0 | 1, due: string): string =>
  `FROM events INDEXED BY waiting WHERE queue = :queue AND steady = ${steady} AND due ${due}`

const view = (ready: string, lapsed: string): string => `SELECT
  ${ready} OR EXISTS (SELECT 1 ${waiting(0, '<= :now')}) OR EXISTS (SELECT 1 ${waiting(1, '<= :steady')}) AS ready,
  EXISTS (SELECT 1 ${lapsed}) AS lapsed,
  (SELECT min(due) ${waiting(0, '> :now')}) AS due,
  (SELECT min(due) ${waiting(1, '> :steady')}) AS wait,
  (SELECT min(lease) FROM held INDEXED BY held_lease WHERE queue = :queue AND lease > :monotonic) AS lease`

const endOfWindow = `(SELECT iif(count(*) = :window, max(r.seq), ${Number.MAX_SAFE_INTEGER}) ${inWindow})`
/**
 * Of the key, what was given back stands before what lost its holder later in the order. What lost it behind the window
 * waits for all that is ready before, so that no claim reads that.
 */
const lapsedByKey = `${allLapsed} AND (l.key IS NULL OR (l.seq < ${endOfWindow} AND ${keyIsFree('l')}
  AND NOT EXISTS (SELECT 1 FROM ready r WHERE r.queue = :queue AND r.seq < l.seq AND r.key = l.key)))`
/** A window that is full of events whose keys are taken: a claim looks further, and sets them aside. */
const readyByKey = `(EXISTS (SELECT 1 ${inWindow} WHERE ${keyIsFree('r')})
  OR (SELECT count(*) ${inWindow}) = :window)`

export const unordered = {
  view: view('EXISTS (SELECT 1 FROM ready WHERE queue = :queue)', allLapsed),
  hasLapsed: `SELECT EXISTS (SELECT 1 ${allLapsed}) AS lapsed`,
  lapsed: `SELECT l.seq, l.key, l.lone ${allLapsed} ORDER BY l.seq LIMIT :limit`,
}

export const ordered = {
  view: view(readyByKey, lapsedByKey),
  hasLapsed: `SELECT EXISTS (SELECT 1 ${lapsedByKey}) AS lapsed`,
  lapsed: `SELECT l.seq, l.key, l.lone ${lapsedByKey} ORDER BY l.seq LIMIT :limit`,
}

/** How many rows that became due are promoted at a time, so that a million at once stop nobody for long. */
const promoted = 256
const firstDue = (steady: 0 | 1, time: string): string =>
  `SELECT seq FROM (SELECT seq ${waiting(steady, `<= ${time}`)} ORDER BY due LIMIT ${promoted})`
const isDue = `seq IN (${firstDue(0, ':now')} UNION ALL ${firstDue(1, ':steady')})`
/** Costs less than to find that there is nothing to promote. */
export const anyDue = `SELECT 1 ${waiting(0, '<= :now')} UNION ALL SELECT 1 ${waiting(1, '<= :steady')} LIMIT 1`
export const promote = [
  // A date that somebody set by hand may be that of an event that is ready or held as well.
  `INSERT OR REPLACE INTO ready SELECT queue, seq, key FROM events WHERE ${isDue} AND seq NOT IN (SELECT seq FROM held)`,
  `UPDATE events SET due = NULL WHERE ${isDue}`,
]

/** If there is nothing of this, all keys are free. */
export const anyInTheWay = `SELECT 1 WHERE ${anyParked} OR ${anyAside} OR EXISTS (
  SELECT 1 FROM held WHERE queue = :queue AND (holder <> :holder OR lease <= :monotonic)
)`

/** What is ready, in its order, read row by row. The columns of an event that somebody deleted by hand are NULL. */
export const ready = {
  all: `SELECT r.seq, ${eventColumns} FROM ready r LEFT JOIN events e ON e.seq = r.seq AND e.queue = :queue
    WHERE r.queue = :queue ORDER BY r.seq LIMIT :limit`,
  /** Only what is free. */
  byKey: `SELECT r.seq, ${eventColumns} ${inWindow} LEFT JOIN events e ON e.seq = r.seq AND e.queue = :queue
    WHERE ${keyIsFree('r')} ORDER BY r.seq LIMIT :limit`,
  /** The place of the last row of a full window. */
  endOfWindow: `SELECT seq FROM ready WHERE queue = :queue AND :window > 0 ORDER BY seq LIMIT 1 OFFSET :window - 1`,
  count: 'SELECT count(*) AS count FROM ready WHERE queue = :queue AND seq <= :end',
}

const holding = (key: 'key' | 'NULL', which: string): string =>
  `INSERT INTO held SELECT seq, queue, ${key}, :holder, :claim, :lease, 0 FROM ready WHERE queue = :queue AND ${which}`
/** All up to a place, which is cheaper, or those that are named. */
const holdingBy = (key: 'key' | 'NULL') => ({
  all: holding(key, 'seq <= :end'),
  named: holding(key, 'seq IN (SELECT value FROM json_each(:seqs))'),
})
/** Of the ready list. The key is kept only where it is looked for. */
export const hold = { unordered: holdingBy('NULL'), ordered: holdingBy('key') }

/** Out of the ready list, up to a place: all, which is cheaper, or what is held or aside now. */
export const leave = {
  all: 'DELETE FROM ready WHERE queue = :queue AND seq <= :end',
  moved: `DELETE FROM ready WHERE queue = :queue AND seq <= :end AND (seq IN (SELECT seq FROM held)
    OR EXISTS (SELECT 1 FROM aside a WHERE a.queue = :queue AND a.key = ready.key AND a.seq = ready.seq))`,
}

/** The place of the first of a key in `from`, or behind all. */
const firstOfKey = (from: string): string =>
  `ifnull((SELECT min(seq) FROM ${from} AND queue = :queue AND key = :key), ${Number.MAX_SAFE_INTEGER})`
const firstAside = `FROM aside WHERE queue = :queue AND key = :key AND seq <= min(
  ${firstOfKey('held INDEXED BY held_key WHERE key IS NOT NULL')},
  ${firstOfKey('events INDEXED BY parked WHERE parked = 1')}
) ORDER BY seq LIMIT :count`

/** What stands behind another of its key, which somebody else will settle, and is ready up to a place. */
const toSetAside = `FROM ready r WHERE r.queue = :queue AND r.seq <= :end AND r.seq NOT IN (SELECT seq FROM held)
  AND ${isBehind('r', 'h.seq < r.seq AND (h.holder <> :holder OR h.lease <= :monotonic)')}`

export const aside = {
  anything: 'SELECT 1 FROM aside WHERE queue = ? LIMIT 1',
  add: `INSERT INTO aside SELECT r.queue, r.key, r.seq ${toSetAside}`,
  anyToAdd: `SELECT 1 ${toSetAside} LIMIT 1`,
  /** Which of these keys have rows aside, and the place of the first. */
  keys: `SELECT k.value, (SELECT min(a.seq) FROM aside a WHERE a.queue = :queue AND a.key = k.value) AS first
    FROM json_each(:keys) k WHERE first IS NOT NULL`,
  /** What is ready already. */
  beside: `SELECT r.seq, r.key ${inWindow}`,
  /** Returns the first of a key, up to what still keeps the others back. */
  bringBack: [
    `INSERT INTO ready SELECT queue, seq, key ${firstAside}`,
    `DELETE FROM aside WHERE queue = :queue AND key = :key AND seq IN (SELECT seq ${firstAside})`,
  ],
}
