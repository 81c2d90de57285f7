import { messageColumns } from './stored-event.ts'

/** Data above this size, in bytes, is fetched by itself. */
const largeData = 64 * 1024

/**
 * Nobody else has an event of the key, none before it has lost its holder, and none before it is parked. Claims are
 * serialised by BEGIN IMMEDIATE, so what they read is the truth until they commit. If this is false for one event of a
 * key, it is for all behind it.
 */
const keyIsFree = (row: 'm' | 'l'): string => `(${row}.key IS NULL OR (
  NOT EXISTS (
    SELECT 1 FROM held h WHERE h.queue = :queue AND h.key = ${row}.key
    AND iif(h.lease > :monotonic, h.owner <> :owner, h.seq < ${row}.seq)
  )
  AND NOT EXISTS (
    SELECT 1 FROM messages p WHERE p.parked = 1 AND p.queue = :queue AND p.key = ${row}.key AND p.seq < ${row}.seq
  )
))`

const nobodyHolds = 'NOT EXISTS (SELECT 1 FROM held WHERE held.seq = m.seq)'
const inReady = 'm.queue = :queue AND m.due IS NULL AND m.aside = 0'
const inAside = 'm.queue = :queue AND m.due IS NULL AND m.aside = 1'
const allReady = `FROM messages m INDEXED BY ready WHERE ${inReady} AND ${nobodyHolds}`
const allAside = `FROM messages m INDEXED BY aside WHERE ${inAside} AND ${nobodyHolds} AND m.key = k.key`
const allLapsed = 'FROM held l INDEXED BY held_lease WHERE l.queue = :queue AND l.lease <= :monotonic'

/** The first rows of the ready list. A window of -1 is the whole list. */
const inWindow = `FROM (SELECT m.seq, m.key ${allReady} ORDER BY m.seq LIMIT :window) m`
const firstBeyond = (from: string): string =>
  `SELECT min(m.key) FROM messages m INDEXED BY aside WHERE ${inAside}${from}`
/** Every key that has rows aside: one step in the index for each. */
const asideKeys = `WITH RECURSIVE k (key) AS (
  ${firstBeyond('')} UNION ALL SELECT (${firstBeyond(' AND m.key > k.key')}) FROM k WHERE k.key IS NOT NULL
)`
const isFreeAside = `EXISTS (
  SELECT 1 FROM (SELECT m.seq, m.key ${allAside} ORDER BY m.seq LIMIT 1) m WHERE ${keyIsFree('m')}
)`

const waiting = (steady: 0 | 1, due: string): string =>
  `FROM messages INDEXED BY waiting WHERE queue = :queue AND steady = ${steady} AND due ${due}`

const view = (ready: string, lapsed: string): string => `SELECT
  ${ready} OR EXISTS (SELECT 1 ${waiting(0, '<= :now')}) OR EXISTS (SELECT 1 ${waiting(1, '<= :steady')}) AS ready,
  EXISTS (SELECT 1 ${lapsed}) AS lapsed,
  (SELECT min(due) ${waiting(0, '> :now')}) AS due,
  (SELECT min(due) ${waiting(1, '> :steady')}) AS wait,
  (SELECT min(lease) FROM held INDEXED BY held_lease WHERE queue = :queue AND lease > :monotonic) AS lease`

/** Of the key, what was given back stands before what lost its holder later in the order. */
const readyBefore = (index: 'ready' | 'aside', all: string): string =>
  `SELECT 1 FROM messages m INDEXED BY ${index} WHERE ${all} AND m.key = l.key AND m.seq < l.seq AND ${nobodyHolds}`
const lapsedByKey = `${allLapsed} AND ${keyIsFree('l')}
  AND NOT EXISTS (${readyBefore('ready', inReady)}) AND NOT EXISTS (${readyBefore('aside', inAside)})`
/** A window that is full of events whose keys are taken: a claim looks further, and sets them aside. */
const readyByKey = `(EXISTS (SELECT 1 ${inWindow} WHERE ${keyIsFree('m')})
  OR (SELECT count(*) ${inWindow}) = :window
  OR EXISTS (${asideKeys} SELECT 1 FROM k WHERE k.key IS NOT NULL AND ${isFreeAside}))`

export const unordered = {
  view: view(`EXISTS (SELECT 1 ${allReady})`, allLapsed),
  hasLapsed: `SELECT EXISTS (SELECT 1 ${allLapsed}) AS lapsed`,
  lapsed: `SELECT l.seq, l.lone ${allLapsed} ORDER BY l.seq LIMIT :limit`,
}

export const ordered = {
  view: view(readyByKey, lapsedByKey),
  hasLapsed: `SELECT EXISTS (SELECT 1 ${lapsedByKey}) AS lapsed`,
  lapsed: `SELECT l.seq, l.lone ${lapsedByKey} ORDER BY l.seq LIMIT :limit`,
}

/** What may be claimed, as places in the order. */
export const choose = {
  all: `SELECT m.seq ${allReady} ORDER BY m.seq LIMIT :limit`,
  byKey: `SELECT m.seq ${inWindow} WHERE ${keyIsFree('m')} ORDER BY m.seq LIMIT :limit`,
}

export const aside = {
  /** The keys that have rows aside, and whether the first of these may be claimed. */
  keys: `${asideKeys} SELECT k.key, ${isFreeAside} FROM k WHERE k.key IS NOT NULL`,
  /** Those of one key that may be claimed. */
  ofKey: `SELECT m.seq ${allAside.replace('k.key', ':key')} AND ${keyIsFree('m')} ORDER BY m.seq LIMIT :limit`,
  /** Whether the window has as many rows as it may have. */
  isFull: `SELECT (SELECT count(*) ${inWindow}) = :window AS full`,
  /** Sets aside what may not be claimed in the window, of keys that have at least `heavy` such rows there. */
  set: `WITH blocked AS MATERIALIZED (
    SELECT m.seq, m.key ${inWindow} WHERE NOT ${keyIsFree('m')}
  )
  UPDATE messages SET aside = 1 WHERE seq IN (
    SELECT seq FROM blocked WHERE key IN (SELECT key FROM blocked GROUP BY key HAVING count(*) >= :heavy)
  )`,
}

/** How many rows that became due are promoted at a time, so that a million at once stop nobody for long. */
const promoted = 256
const isDue = (steady: 0 | 1, time: string): string =>
  `SELECT seq FROM (SELECT seq ${waiting(steady, `<= ${time}`)} ORDER BY due LIMIT ${promoted})`
export const promote = `UPDATE messages SET due = NULL WHERE seq IN (
  ${isDue(0, ':now')} UNION ALL ${isDue(1, ':steady')}
)`

/** Events by their seqs, each without its data if that is large. */
export const fetch = `SELECT ${messageColumns}, iif(octet_length(m.data) <= ${largeData}, m.data, NULL) AS data
  FROM json_each(:seqs) s CROSS JOIN messages m ON m.seq = s.value`
/** The key is kept only where it is looked for. */
export const hold = (byKey: boolean): string => `INSERT INTO held
  SELECT m.seq, m.queue, ${byKey ? 'm.key' : 'NULL'}, :owner, :claim, :lease, 0
  FROM json_each(:seqs) s CROSS JOIN messages m ON m.seq = s.value`
