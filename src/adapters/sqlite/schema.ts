import { latestTime } from '../../contract/stored-json.ts'

/** 'mlrc' in ASCII: tells our files from the databases of others. */
export const applicationId = 0x6d6c_7263
/** Rises with every change of the tables. */
export const version = 4

/** More failures than this are not told apart. */
export const mostFailures = 1_000_000_000

/*
 * Numbers that JavaScript cannot hold fail the whole reading, and so every claim of the queue. The checks keep them out,
 * whoever writes the row.
 */
const between = (column: string, from: number, to: number): string => `${column} BETWEEN ${from} AND ${to}`
const number = (column: string): string => between(column, 1, Number.MAX_SAFE_INTEGER)
const time = (column: string): string => between(column, 0, latestTime)
const flag = (column: string): string => between(column, 0, 1)
/** Text or bytes: SQLite sorts numbers before them. Half the price of `typeof(data) IN ('text', 'blob')`. */
const raw = "data >= ''"

/*
 * events: one row for each queue that an event goes to. `seq` is the place in the order; a row that becomes due again
 *   keeps it. A rowid may be used again after the highest row is gone: order is not hurt, and a settlement is told from
 *   the next holder's by holder and claim, not by seq.
 * What has no `due` stands in one of three narrow lists, so that moving it writes 50 bytes and not the event once more:
 * ready: free to be claimed. Claims read this list only, which has neither delayed rows nor clock readings in it. `key` is
 *   in it so that passing over a key that is taken does not touch the events.
 * held: who has which event.
 * aside: what stands behind another of its key, so that claims do not read past it again and again. Only those that stand
 *   behind one that is held, parked or aside are moved here; when that is settled, they come back.
 */
export const tables = `
  CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL,      -- counts changes of queues and subscriptions
    boot TEXT NOT NULL,               -- which start of the machine the leases belong to
    booted INTEGER,                   -- when that was, by the first of our processes since; ms since 1970
    CHECK (${between('generation', 0, Number.MAX_SAFE_INTEGER)} AND ${between('booted', -latestTime, latestTime)})
  ) STRICT;
  CREATE TABLE queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (${number('id')}),
    name TEXT NOT NULL UNIQUE,
    ordered INTEGER NOT NULL CHECK (${flag('ordered')})
  ) STRICT;
  CREATE TABLE subscriptions (
    queue INTEGER NOT NULL CHECK (${number('queue')}), topic TEXT NOT NULL, pattern TEXT NOT NULL,
    PRIMARY KEY (queue, topic, pattern)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    due INTEGER,                      -- ms since 1970, by the clock that \`steady\` names; NULL: now
    steady INTEGER NOT NULL DEFAULT 0, -- 1: a retry or release, whose wait goes by the steady clock; 0: a date
    failures INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    taken INTEGER NOT NULL,           -- ms since 1970
    id TEXT NOT NULL, type TEXT NOT NULL, key TEXT,
    head TEXT NOT NULL, data ANY NOT NULL, trail TEXT,
    -- One check is cheaper than many: publishing pays 1.5 %, and with json_valid(trail) it would pay 4 %.
    CHECK (${[
      number('seq'),
      time('due'),
      flag('steady'),
      between('failures', 0, mostFailures),
      flag('parked'),
      time('taken'),
      raw,
    ].join(' AND ')})
  ) STRICT;
  CREATE INDEX waiting ON events (queue, steady, due) WHERE due IS NOT NULL;
  CREATE INDEX parked ON events (queue, key, seq) WHERE parked = 1;

  CREATE TABLE ready (
    queue INTEGER NOT NULL, seq INTEGER NOT NULL CHECK (${number('seq')}), key TEXT,
    PRIMARY KEY (queue, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE aside (
    queue INTEGER NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL CHECK (${number('seq')}),
    PRIMARY KEY (queue, key, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE held (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    key TEXT,                         -- only where the queue keeps order by key
    holder INTEGER NOT NULL,          -- the session
    claim INTEGER NOT NULL,           -- which of its exchanges
    lease INTEGER NOT NULL,           -- ms of the machine's monotonic clock
    lone INTEGER NOT NULL,            -- 1: claimed as lapsed, by itself
    CHECK (${number('seq')} AND ${between('lease', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)} AND ${flag('lone')})
  ) STRICT;
  CREATE INDEX held_key ON held (queue, key) WHERE key IS NOT NULL;
  CREATE INDEX held_lease ON held (queue, lease);

  CREATE TABLE dead (
    letter INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL, name TEXT NOT NULL,
    id TEXT NOT NULL, type TEXT NOT NULL, key TEXT,
    head TEXT NOT NULL, data ANY NOT NULL, record TEXT NOT NULL,
    CHECK (${number('letter')} AND ${raw} AND json_valid(record))
  ) STRICT;
  CREATE INDEX dead_queue ON dead (queue);
  CREATE UNIQUE INDEX dead_name ON dead (queue, name);

  CREATE TABLE unrouted (
    seq INTEGER PRIMARY KEY,
    topic TEXT NOT NULL, due INTEGER, taken INTEGER NOT NULL,
    id TEXT NOT NULL, type TEXT NOT NULL, key TEXT,
    head TEXT NOT NULL, data ANY NOT NULL,
    CHECK (${number('seq')} AND ${time('due')} AND ${time('taken')} AND ${raw})
  ) STRICT;
  CREATE INDEX unrouted_taken ON unrouted (taken);

  CREATE TABLE rates (
    queue INTEGER NOT NULL, at INTEGER NOT NULL, handled INTEGER NOT NULL, failed INTEGER NOT NULL,
    PRIMARY KEY (queue, at)
  ) STRICT, WITHOUT ROWID;

  INSERT INTO meta VALUES (1, 0, '', NULL);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${version};
`
