/*
 * messages: one row for each queue that an event goes to, known by the queue and the event's id: a second publish of an id
 *   that is still there changes nothing. Its state is in `lease`, `due` and `aside`:
 *     ready    no lease, no due, not aside
 *     waiting  no lease, due: delayed, retried or given back; '-infinity': given back or brought back, before all others
 *     aside    no lease, no due: of a key that somebody holds back, so that claims do not pass over it again and again
 *     held     lease; ended: its holder let it run out
 * The order is `seq`, which rises with every call of publish, whichever transaction it is in: b that is published after a
 *   has committed has the higher one, though its transaction may be the older one. So seq may become visible out of order.
 *   Who remembers how far he has read must go back when a transaction has ended that was under way when he read, in the very
 *   statement that sees it ended, for that sees what was published after it, too: not further than where he stood when he saw
 *   it first, for `tx` comes before `seq`, so that a transaction has its number, and every snapshot knows of it, before it draws
 *   its first place. Reading on from there matters while an old transaction keeps the rows of events that were handled long ago
 *   from being cleaned up: claims must not pass over a million of those.
 * slot: 0 to 63 by key where the queue keeps order, else -1. Each slot is one session's at a time, so a claim need not ask
 *   what others hold.
 * claim: a number that no other exchange has, of this session or any other: what fences a settlement.
 * store, locks: entries and locks by the name of their store (`space`) and by key. Keys are bytes, for texts cannot have every
 *   character. `version` and `token` come from sequences, so that none comes twice and rows can go.
 * All times are the database's.
 */
export const slots = 64
/** More failures than this are not told apart. */
export const mostFailures = 1_000_000_000
/**
 * The slot of a row with the column `key`; `ordered` is whether its queue keeps order. These hashes are the same in all
 * versions of Postgres, since partitions on disk depend on them.
 */
export const slotOf = (ordered: string): string =>
  `CASE WHEN key IS NULL OR NOT ${ordered} THEN -1 ELSE hashtextextended(key, 0) & ${slots - 1} END`

/**
 * Whether the row `m`, which was found by its id, is held: said so that Postgres does not see that the index `held` is of such rows.
 * Where little is held it would read all of that index rather than look for each id, and while an old transaction is open
 * everything that was ever held is in there.
 */
export const isHeld = 'num_nulls(m.lease) = 0'

/** The steps from one version to the next, the first from nothing. What is released is never changed, only added to. */
export const migrations: readonly string[] = [
  `
CREATE TABLE {meta} (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL DEFAULT 0, -- of these tables: how many migrations have made them
  generation bigint NOT NULL DEFAULT 0 -- counts changes of queues and subscriptions
);
INSERT INTO {meta} DEFAULT VALUES;

CREATE TABLE {queues} (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  ordered boolean NOT NULL
);
CREATE TABLE {subscriptions} (
  queue integer NOT NULL REFERENCES {queues} ON DELETE CASCADE,
  topic text NOT NULL,
  pattern text NOT NULL,
  PRIMARY KEY (queue, topic, pattern)
);

CREATE TABLE {removed} ( -- what was a queue
  queue integer PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT statement_timestamp()
);

CREATE TABLE {messages} (
  queue integer NOT NULL,
  id text NOT NULL,
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(), -- before seq
  seq bigint GENERATED ALWAYS AS IDENTITY,
  slot smallint NOT NULL,
  type text NOT NULL,
  key text,
  head text NOT NULL,
  data text,  -- or bytes, if it is no text that the database can hold
  bytes bytea,
  taken timestamptz NOT NULL DEFAULT statement_timestamp(),
  due timestamptz,
  failures integer NOT NULL DEFAULT 0,
  parked boolean NOT NULL DEFAULT false,
  aside boolean NOT NULL DEFAULT false,
  trail text,
  claim bigint,
  lease timestamptz,
  lone boolean NOT NULL DEFAULT false, -- claimed as lapsed, by itself
  PRIMARY KEY (queue, id),
  -- What no claim could reckon with is kept out, whoever writes the row.
  CHECK (due < 'infinity' AND isfinite(taken) AND isfinite(lease) AND failures >= 0)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = false);
-- Plans are made once, for all that comes after. For a table that looks empty, Postgres would plan to read all of it and to
-- sort it, and would do so with a million rows until it has analysed them. So it has pages from the beginning, and keeps them.
INSERT INTO {messages} (queue, id, slot, type, head) SELECT 0, n, -1, '', repeat(' ', 1900) FROM generate_series(1, 2000) n;
DELETE FROM {messages};
CREATE INDEX ready ON {messages} (queue, seq) WHERE lease IS NULL AND due IS NULL AND NOT aside;
CREATE INDEX waiting ON {messages} (queue, due, seq) WHERE lease IS NULL AND due IS NOT NULL;
CREATE INDEX aside ON {messages} (queue, key, seq) WHERE aside;
CREATE INDEX parked ON {messages} (queue, key) WHERE parked;
CREATE INDEX held ON {messages} (queue, lease) WHERE lease IS NOT NULL;

CREATE TABLE {sessions} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue integer NOT NULL,
  alive timestamptz NOT NULL, -- until then; and at least until its last lease ends
  wants boolean NOT NULL DEFAULT false -- more slots
) WITH (fillfactor = 50);
CREATE INDEX sessions_queue ON {sessions} (queue);
CREATE TABLE {slots} (
  queue integer NOT NULL,
  slot smallint NOT NULL,
  session bigint NOT NULL,
  PRIMARY KEY (queue, slot)
) WITH (fillfactor = 50);

CREATE TABLE {dead} (
  letter bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue integer NOT NULL,
  name text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  key text,
  head text NOT NULL,
  data text,
  bytes bytea,
  record text NOT NULL
);
CREATE UNIQUE INDEX dead_name ON {dead} (queue, name);
CREATE INDEX dead_queue ON {dead} (queue, letter);

CREATE TABLE {unrouted} (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  due timestamptz,
  taken timestamptz NOT NULL DEFAULT statement_timestamp(),
  id text NOT NULL,
  type text NOT NULL,
  key text,
  head text NOT NULL,
  data text,
  bytes bytea
);
CREATE INDEX unrouted_taken ON {unrouted} (taken);

CREATE TABLE {inbox} (
  queue text NOT NULL, -- by its name: it may be of another system; one of these tables by its id, behind a #
  id text NOT NULL,
  at timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (queue, id)
);
CREATE INDEX inbox_at ON {inbox} (at);

CREATE TABLE {rates} (
  queue integer NOT NULL,
  at bigint NOT NULL,
  handled bigint NOT NULL,
  failed bigint NOT NULL,
  PRIMARY KEY (queue, at)
) WITH (fillfactor = 50);

CREATE TABLE {store} (
  space text NOT NULL,
  key bytea NOT NULL,
  version bigint NOT NULL GENERATED ALWAYS AS IDENTITY, -- another one with each put
  ends timestamptz,
  is_text boolean NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY (space, key)
) WITH (vacuum_truncate = false);
-- As messages: pages from the beginning, for plans that are made while it is empty.
INSERT INTO {store} (space, key, is_text, value) SELECT '', int4send(n), false, convert_to(repeat(' ', 1900), 'UTF8') FROM generate_series(1, 400) n;
DELETE FROM {store};
CREATE INDEX store_ends ON {store} (ends) WHERE ends IS NOT NULL;

CREATE TABLE {locks} (
  space text NOT NULL,
  name bytea NOT NULL,
  token bigint NOT NULL GENERATED ALWAYS AS IDENTITY (MAXVALUE ${Number.MAX_SAFE_INTEGER}),
  ends timestamptz NOT NULL CHECK (isfinite(ends)),
  PRIMARY KEY (space, name)
);
CREATE INDEX locks_ends ON {locks} (ends);
`,
]
