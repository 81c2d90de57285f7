import { mostFailures } from './schema.ts'
import { messageColumns } from './stored-event.ts'

const lease = "statement_timestamp() + $4::float8 * interval '1 ms'"

/**
 * Acknowledges and claims. $1 queue, $2 and $3 ids and claims of what is acknowledged, $4 lease, $5 claim, $6 limit.
 *
 * What two claims see as free at the same time, the first one locks, and the second one skips; if the first has committed
 * by then, the row is read anew under the lock and is not free any more.
 */
export const exchange = `
  WITH acked AS (
    DELETE FROM {messages} m USING unnest($2::text[], $3::bigint[]) a (id, claim)
    WHERE m.queue = $1 AND m.id = a.id AND m.claim = a.claim AND m.lease IS NOT NULL
    RETURNING m.id
  ), due AS MATERIALIZED (
    SELECT ctid FROM {messages} WHERE queue = $1 AND lease IS NULL AND due <= statement_timestamp()
    ORDER BY due, seq LIMIT ceil($6::int / 2.0) FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE {messages} m SET claim = $5, lease = ${lease}, due = NULL
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM due) || ARRAY(
      SELECT ctid FROM {messages} WHERE queue = $1 AND lease IS NULL AND due IS NULL AND NOT aside
      ORDER BY seq LIMIT $6 - (SELECT count(*) FROM due) FOR UPDATE SKIP LOCKED
    ))
    RETURNING ${messageColumns}
  )
  SELECT NULL AS id, NULL AS type, NULL AS key, NULL AS failures, NULL AS head, NULL AS trail, NULL AS data, NULL AS bytes,
    NULL AS seq, json_build_object(
      'acked', CASE WHEN (SELECT count(*) FROM acked) < cardinality($2) THEN (SELECT coalesce(json_agg(id), '[]') FROM acked) END,
      'more', (SELECT count(*) FROM due) = ceil($6 / 2.0),
      'lapsed', EXISTS (SELECT 1 FROM {messages} WHERE queue = $1 AND lease <= statement_timestamp()),
      'queue', EXISTS (SELECT 1 FROM {queues} WHERE id = $1)
    )::text AS state
  UNION ALL SELECT taken.*, NULL FROM taken`

/** $1 queue, $2 lease, $3 claim, $4 limit. */
export const lapsed = `
  UPDATE {messages} m SET claim = $3, lease = ${lease.replace('$4', '$2')}, lone = true,
    failures = CASE WHEN lone THEN least(failures + 1, ${mostFailures}) ELSE failures END
  WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {messages} WHERE queue = $1 AND lease <= statement_timestamp()
    ORDER BY seq LIMIT $4 FOR UPDATE SKIP LOCKED
  ))
  RETURNING ${messageColumns}`
