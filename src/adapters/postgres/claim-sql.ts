import { isHeld, mostFailures, slotOf } from './schema.ts'
import { messageColumns } from './stored-event.ts'

/*
 * Every statement here is a transaction of its own, so it sees what was committed when it began, and no more of its own changes.
 *
 * Parameters that all claims have: $1 session, $2 queue, $3 slots of the session, one bit each, $4 lease in milliseconds,
 * $5 claim, $6 limit.
 */

const now = 'statement_timestamp()'
const milliseconds = (ms: string): string => `${ms}::float8 * interval '1 ms'`
const lease = `${now} + ${milliseconds('$4')}`

/**
 * The row of the session, locked until the claim is committed, if the session lives beyond the leases that it would give.
 * Whoever takes its slots deletes the row first, and so waits for the claim, and sees what it took; a claim that comes
 * later finds no row, and takes nothing. A claim of which the session has heard no answer ends in the same way.
 */
const me = `me AS MATERIALIZED (SELECT id FROM {sessions} WHERE id = $1 AND alive >= ${lease} FOR KEY SHARE)`
const isMine = '(m.slot < 0 OR ($3::bigint >> m.slot::int) & 1 = 1)'

const free = 'FROM {messages} m WHERE m.queue = $2 AND m.lease IS NULL'
const isDue = `${free} AND m.due <= ${now} AND NOT m.parked AND ${isMine}`
const isReady = `${free} AND m.due IS NULL AND NOT m.aside AND m.seq > (SELECT place FROM origin) AND ${isMine}`
const isLapsed = `m.queue = $2 AND m.lease <= ${now} AND ${isMine}`
const lapsedSince = `FROM {messages} m WHERE ${isLapsed} AND m.lease > $11::timestamptz`
/** Another of the key, at an earlier place. */
const earlier = (state: string): string =>
  `EXISTS (SELECT 1 FROM {messages} o WHERE o.queue = $2 AND o.key = m.key AND ${state} AND o.seq < m.seq)`
/** What keeps those behind it back. Only the session that has the slot makes such rows, so it knows when there are any. */
const isBehind = `(${earlier('o.parked')} OR ${earlier('o.aside')} OR ${earlier(`o.lease <= ${now}`)})`

/** What one statement takes ends at so many bytes, the event included that gets there: 128 events may be 12 GB. See `StoredEvent.size`. */
export const enoughData = 32 * 1024 * 1024
/** Of a row, told from its header: nothing is read that is stored apart. */
const bytes = 'octet_length(m.head) + coalesce(octet_length(m.data), octet_length(m.bytes), 0) AS bytes'
/**
 * Of these rows, in this order, those that there is memory for: at least one. Where they are of two kinds, each has half of it and what the
 * other leaves, so that neither waits for the other to end.
 */
const fitting = (columns: string, rows: string, order: string, kind = 'true'): string => `
  SELECT ${columns} FROM (
    SELECT ${columns}, sum(bytes) OVER (PARTITION BY ${kind} ORDER BY ${order} ROWS UNBOUNDED PRECEDING) - bytes AS before,
      sum(bytes) OVER () - sum(bytes) OVER (PARTITION BY ${kind}) AS others FROM (${rows}) r
  ) r WHERE before < greatest(${enoughData} / 2, ${enoughData} - others)`

/** What is due and what is ready, as an exchange has found it. */
const both = (where: string): string =>
  `SELECT ctid, seq, due, bytes FROM due ${where} UNION ALL SELECT ctid, seq, NULL, bytes FROM ready ${where}`

const held = `claim = $5, lease = ${lease}, due = NULL, aside = false`

interface ExchangeParts {
  readonly lock: string
  /** Whether nothing may be claimed yet, since something has lapsed. */
  readonly unheard: string
  /** Where there is too much: whether it takes what fits, or nothing. */
  readonly limits: boolean
  /** More of what is due and what is ready; which of it is taken. */
  readonly columns?: string
  readonly where?: string
  /** What is done besides, and the keys that it sets aside. */
  readonly also?: string
  readonly aside?: string
}

/**
 * Acknowledges and claims. $7, $8 and $9 tids, places and claims of what is acknowledged, $10 the place behind which ready events
 * are read, $11 the time since which leases may have ended, $12 for how many milliseconds to look ahead for leases that end,
 * $13 and $14 transactions, and the place for each behind which is read if it has ended (`Cursor`).
 *
 * What is acknowledged is found where its claim has put it, which costs less than to look for its id. What is there no more,
 * for whatever reason, is told as not acknowledged. Gives the events, and a row without an id that has an ExchangeState as its type.
 *
 * What two claims see as free at the same time, the first one locks, and the second one skips. If the first has committed
 * by then, the row is looked at anew under the lock, and is not free any more: no event goes from ready to ready.
 * Where an event lapsed of whose key nobody knew that it may be kept back, nothing is claimed, and that is told.
 */
const exchangeOf = ({
  lock,
  unheard,
  limits,
  columns = '',
  also = '',
  aside = 'NULL',
  where = '',
}: ExchangeParts): string => `
  WITH ${me}, acked AS (
    DELETE FROM {messages} m USING unnest($7::tid[], $8::bigint[], $9::bigint[]) a (tid, seq, claim)
    WHERE m.ctid = a.tid AND m.seq = a.seq AND m.claim = a.claim AND ${isHeld}
    RETURNING m.id, m.claim
  ), lapsed AS MATERIALIZED (
    SELECT EXISTS (SELECT 1 ${lapsedSince}) AS any, ${unheard} AS unheard
  ), may AS MATERIALIZED (SELECT 1 FROM me, lapsed WHERE NOT unheard),
  origin AS MATERIALIZED (
    SELECT least($10::bigint, min(place)) AS place FROM unnest($13::xid8[], $14::bigint[]) p (tx, place)
    WHERE pg_visible_in_snapshot(tx, pg_current_snapshot())
  ),
  due AS MATERIALIZED (
    SELECT m.ctid, m.seq, m.due, ${bytes}${columns} ${isDue} AND EXISTS (SELECT 1 FROM may)
    ORDER BY m.due, m.seq LIMIT ceil($6::int / 2.0) ${lock}
  ), ready AS MATERIALIZED (
    SELECT m.ctid, m.seq, ${bytes}${columns} ${isReady} AND EXISTS (SELECT 1 FROM may)
    ORDER BY m.seq LIMIT $6 - (SELECT count(*) FROM due) ${lock}
  ), size AS MATERIALIZED (
    SELECT coalesce((SELECT sum(bytes) FROM due), 0) + coalesce((SELECT sum(bytes) FROM ready), 0) > ${enoughData} AS much
  ), ${limits ? `fitting AS MATERIALIZED (${fitting('ctid, seq, due', both(where), 'due, seq', 'due IS NULL')}), ` : ''}taken AS (
    UPDATE {messages} m SET ${held} WHERE m.ctid = ANY(
      CASE WHEN (SELECT much FROM size) THEN ${limits ? 'ARRAY(SELECT ctid FROM fitting)' : 'ARRAY[]::tid[]'}
        ELSE ARRAY(SELECT ctid FROM due ${where}) || ARRAY(SELECT ctid FROM ready ${where}) END
    ) RETURNING ${messageColumns}
  )${also}
  SELECT NULL AS id, json_build_object(
      'lives', EXISTS (SELECT 1 FROM me),
      'acked', CASE WHEN (SELECT count(*) FROM acked) < cardinality($7)
        THEN (SELECT coalesce(json_agg(claim || ' ' || id), '[]') FROM acked) END,
      'lapsed', lapsed.any,
      'unheard', unheard,
      'now', ${now}::text,
      'snapshot', pg_current_snapshot()::text,
      'own', pg_current_xact_id()::text,
      'from', (SELECT place FROM origin),
      'last', CASE WHEN NOT much THEN (SELECT max(seq) FROM ready)${
        limits ? ' ELSE (SELECT max(seq) FROM fitting WHERE due IS NULL)' : ''
      } END,
      'much', much,
      'more', CASE WHEN much THEN true WHEN $6 > 0 THEN (SELECT count(*) FROM due) = ceil($6 / 2.0)
          OR (SELECT count(*) FROM ready) = $6 - (SELECT count(*) FROM due)
        ELSE EXISTS (SELECT 1 ${isDue}) OR EXISTS (SELECT 1 ${isReady}) END,
      'aside', ${aside},
      'parked', (SELECT json_agg(key) FROM (
        SELECT m.key ${free} AND m.parked AND m.due <= ${now} AND ${isMine} LIMIT 128
      ) m),
      'wait', (SELECT extract(epoch FROM min(m.due) - ${now}) * 1000 ${free} AND m.due > ${now}),
      'lapse', CASE WHEN $12::float8 > 0 THEN (
        SELECT extract(epoch FROM min(m.lease) - ${now}) * 1000 FROM {messages} m
        WHERE m.queue = $2 AND m.lease > ${now} AND m.lease <= ${now} + ${milliseconds('$12')} AND ${isMine}
      ) END
    )::text AS type, NULL AS key, NULL AS slot, NULL AS failures, NULL AS head, NULL AS trail, NULL AS data, NULL AS bytes,
    NULL AS seq, NULL AS tid FROM lapsed, size
  UNION ALL SELECT * FROM taken`

/** Whoever passes over what somebody has locked for a moment must keep no order. */
const skips = 'FOR UPDATE SKIP LOCKED'
const waits = 'FOR UPDATE'

const unheard = `EXISTS (SELECT 1 ${lapsedSince} AND m.slot >= 0)`
const plain = (limits: boolean) => ({
  unordered: exchangeOf({ lock: skips, unheard, limits }),
  ordered: exchangeOf({ lock: waits, unheard, limits }),
})
/** While no key may be kept back. Takes nothing if that would be more than there is memory for. */
export const exchange = plain(false)
/** Takes as much as there is memory for. Apart, since most events are small, and all claims would be slower by a twentieth. */
export const exchangeLarge = plain(true)
/** While some may be: what is kept back is set aside. Apart, since to plan it as if that were common makes all claims slow. */
export const exchangeKeys = exchangeOf({
  lock: waits,
  unheard: 'false',
  limits: true,
  columns: `, m.slot >= 0 AND ${isBehind} AS behind`,
  also: `, put AS (
    UPDATE {messages} m SET aside = true, due = NULL WHERE m.ctid = ANY(
      ARRAY(SELECT ctid FROM due WHERE behind) || ARRAY(SELECT ctid FROM ready WHERE behind)
    ) RETURNING m.key
  )`,
  aside: '(SELECT json_agg(DISTINCT key) FROM put)',
  where: 'WHERE NOT behind',
})

export interface ExchangeState {
  /** Whether the session was there to claim. */
  readonly lives: boolean
  /** The leases (`leaseOf`) of what was acknowledged; null: all. */
  readonly acked: readonly string[] | null
  readonly lapsed: boolean
  /** An event with a key has lapsed, so nothing was claimed. */
  readonly unheard: boolean
  /** The database's time. */
  readonly now: string
  /** Which transactions were under way: `xmin:xmax:xid,...` */
  readonly snapshot: string
  /** The number of the claim itself, which was drawn after that. */
  readonly own: string
  /** The place behind which was read. */
  readonly from: number
  /** The last place that was read. */
  readonly last: number | null
  /** What it found was more than there is memory for. */
  readonly much: boolean
  /** There may be others that it did not get to. */
  readonly more: boolean
  /** Keys of which something was set aside. */
  readonly aside: readonly string[] | null
  /** Keys whose parked event is due. */
  readonly parked: readonly string[] | null
  /** When the next event becomes due, in milliseconds. */
  readonly wait: number | null
  /** When the next lease ends, in milliseconds, if it does so in the time that was asked for. */
  readonly lapse: number | null
}

/** Acknowledges only. $1 queue, $2 ids, $3 claims. */
export const acknowledge = `
  DELETE FROM {messages} m USING unnest($2::text[], $3::bigint[]) a (id, claim)
  WHERE m.queue = $1 AND m.id = a.id AND m.claim = a.claim AND ${isHeld}
  RETURNING m.id, m.claim`

/**
 * Of keys that may be kept back ($7): what stands aside before the first that keeps back those behind it, and that one if
 * it is parked and due. Nobody else changes such rows, as long as the session has the slot, but for late settlements.
 */
export const keptBack = `
  WITH ${me}, first AS MATERIALIZED (
    SELECT k.key, (
      SELECT min(seq) FROM (
        SELECT m.seq FROM {messages} m WHERE m.queue = $2 AND m.key = k.key AND m.parked
        UNION ALL
        SELECT m.seq FROM {messages} m WHERE ${isLapsed} AND m.key = k.key
      ) all_
    ) AS seq FROM unnest($7::text[]) k (key)
  ), chosen AS MATERIALIZED (
    SELECT c.ctid, c.seq, c.bytes FROM first f CROSS JOIN LATERAL (
      (SELECT m.ctid, m.seq, ${bytes} FROM {messages} m
        WHERE m.queue = $2 AND m.key = f.key AND m.aside AND (f.seq IS NULL OR m.seq < f.seq) AND ${isMine}
        ORDER BY m.seq LIMIT $6)
      UNION ALL
      SELECT m.ctid, m.seq, ${bytes} ${free} AND m.key = f.key AND m.parked AND m.due <= ${now} AND m.seq = f.seq AND ${isMine}
    ) c WHERE EXISTS (SELECT 1 FROM me) ORDER BY c.seq LIMIT $6
  )
  UPDATE {messages} m SET ${held}
  WHERE m.ctid = ANY(ARRAY(${fitting('ctid', 'SELECT * FROM chosen', 'seq')})) AND m.lease IS NULL
  RETURNING ${messageColumns}`

/** Which of the keys ($3) still have something that keeps others back, in the queue $1 and these slots ($2). */
export const stillKeptBack = `
  SELECT k.key FROM unnest($3::text[]) k (key) WHERE ${slotOf('true')} = ANY($2::int[]) AND (
    EXISTS (SELECT 1 FROM {messages} m WHERE m.queue = $1 AND m.key = k.key AND m.parked)
    OR EXISTS (SELECT 1 FROM {messages} m WHERE m.queue = $1 AND m.key = k.key AND m.aside)
    OR EXISTS (SELECT 1 FROM {messages} m WHERE m.queue = $1 AND m.key = k.key AND m.lease <= ${now})
  )`

/** The keys of these slots ($2) that may be kept back. What of them is held has lapsed, or will. */
export const keysKeptBack = `
  SELECT DISTINCT m.key FROM {messages} m WHERE m.queue = $1 AND m.slot = ANY($2::int[]) AND m.parked
  UNION SELECT DISTINCT m.key FROM {messages} m WHERE m.queue = $1 AND m.slot = ANY($2::int[]) AND m.aside
  UNION SELECT DISTINCT m.key FROM {messages} m WHERE m.queue = $1 AND m.slot = ANY($2::int[]) AND m.lease IS NOT NULL`

/**
 * What has lapsed and may be taken, in its order: with a key only while nobody holds another of it, and while none before it is
 * lapsed, parked or aside. Whether it is so is asked of one after the other, until there are enough: hundreds may have lapsed at once.
 */
const next = `
  FROM (
    SELECT m.ctid AS tid, m.seq, m.slot, m.key,
      row_number() OVER (PARTITION BY CASE WHEN m.slot >= 0 THEN m.key COLLATE "C" END ORDER BY m.seq) AS turn
    FROM {messages} m WHERE ${isLapsed} ORDER BY m.seq OFFSET 0
  ) m WHERE m.slot < 0 OR (
    m.turn = 1 AND NOT ${earlier('o.parked')} AND NOT ${earlier('o.aside')} AND m.key <> ALL(ARRAY(
      SELECT o.key FROM {messages} o WHERE o.queue = $2 AND o.lease > ${now} AND o.slot >= 0
    ))
  )`

/**
 * Takes events whose holder let the lease run out. If it had claimed one as lapsed, that was a failure. What others are taking
 * just now is skipped, so it looks at some more; each row begins with how many it saw.
 */
export const lapsed = `
  WITH ${me}, next AS MATERIALIZED (SELECT tid ${next} LIMIT $6 + 16)
  UPDATE {messages} m SET ${held}, lone = true,
    failures = CASE WHEN m.lone THEN least(m.failures + 1, ${mostFailures}) ELSE m.failures END
  WHERE m.ctid = ANY(ARRAY(${fitting(
    'ctid',
    `SELECT m.ctid, m.seq, ${bytes} FROM {messages} m
    WHERE m.ctid = ANY(ARRAY(SELECT tid FROM next)) AND m.lease <= ${now} AND EXISTS (SELECT 1 FROM me)
    ORDER BY m.seq LIMIT $6 FOR UPDATE OF m SKIP LOCKED`,
    'seq',
  )}))
  RETURNING (SELECT count(*)::int FROM next), ${messageColumns}`

/** $1 nothing, $2 queue, $3 slots. */
export const hasLapsed = `SELECT $1::int, EXISTS (SELECT 1 ${next}) AS lapsed`
