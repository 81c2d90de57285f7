-- A file as version 3 of the tables had it, in every state an event can be in.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL,      -- counts changes of queues and subscriptions
    boot TEXT NOT NULL,               -- which start of the machine the leases belong to
    booted INTEGER,                   -- when that was, by the first of our processes since; ms since 1970
    CHECK (generation BETWEEN 0 AND 9007199254740991 AND booted BETWEEN -8640000000000000 AND 8640000000000000)
  ) STRICT;
CREATE TABLE queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 9007199254740991),
    name TEXT NOT NULL UNIQUE,
    ordered INTEGER NOT NULL CHECK (ordered BETWEEN 0 AND 1)
  ) STRICT;
CREATE TABLE subscriptions (
    queue INTEGER NOT NULL CHECK (queue BETWEEN 1 AND 9007199254740991), topic TEXT NOT NULL, pattern TEXT NOT NULL,
    PRIMARY KEY (queue, topic, pattern)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    due INTEGER,                      -- ms since 1970, by the clock that `steady` names; NULL: now
    failures INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    taken INTEGER NOT NULL,           -- ms since 1970
    id TEXT NOT NULL, type TEXT NOT NULL, key TEXT,
    head TEXT NOT NULL, data ANY NOT NULL, trail TEXT,
    steady INTEGER NOT NULL DEFAULT 0, -- 1: a retry or release, whose wait goes by the steady clock; 0: a date
    aside INTEGER NOT NULL DEFAULT 0, -- 1: listed in `aside` when it is ready
    -- One check is cheaper than many: publishing pays 1.5 %, and with json_valid(trail) it would pay 4 %.
    CHECK (seq BETWEEN 1 AND 9007199254740991 AND due BETWEEN 0 AND 8640000000000000 AND failures BETWEEN 0 AND 1000000000 AND parked BETWEEN 0 AND 1 AND taken BETWEEN 0 AND 8640000000000000 AND data >= '' AND steady BETWEEN 0 AND 1 AND aside BETWEEN 0 AND 1)
  ) STRICT;
CREATE INDEX ready ON messages (queue, seq, key) WHERE due IS NULL AND aside = 0;
CREATE INDEX aside ON messages (queue, key, seq) WHERE due IS NULL AND aside = 1;
CREATE INDEX waiting ON messages (queue, steady, due) WHERE due IS NOT NULL;
CREATE INDEX parked ON messages (queue, key, seq) WHERE parked = 1;
CREATE TABLE held (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    key TEXT,                         -- only where the queue keeps order by key
    owner INTEGER NOT NULL,           -- the session
    claim INTEGER NOT NULL,           -- which of its exchanges
    lease INTEGER NOT NULL,           -- ms of the machine's monotonic clock
    lone INTEGER NOT NULL,            -- 1: claimed as lapsed, by itself
    CHECK (seq BETWEEN 1 AND 9007199254740991 AND lease BETWEEN -9007199254740991 AND 9007199254740991 AND lone BETWEEN 0 AND 1)
  ) STRICT;
CREATE INDEX held_key ON held (queue, key) WHERE key IS NOT NULL;
CREATE INDEX held_lease ON held (queue, lease);
CREATE TABLE dead (
    letter INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL, name TEXT NOT NULL,
    id TEXT NOT NULL, type TEXT NOT NULL, key TEXT,
    head TEXT NOT NULL, data ANY NOT NULL, record TEXT NOT NULL,
    CHECK (letter BETWEEN 1 AND 9007199254740991 AND data >= '' AND json_valid(record))
  ) STRICT;
CREATE INDEX dead_queue ON dead (queue);
CREATE UNIQUE INDEX dead_name ON dead (queue, name);
CREATE TABLE unrouted (
    seq INTEGER PRIMARY KEY,
    topic TEXT NOT NULL, due INTEGER, taken INTEGER NOT NULL,
    id TEXT NOT NULL, type TEXT NOT NULL, key TEXT,
    head TEXT NOT NULL, data ANY NOT NULL,
    CHECK (seq BETWEEN 1 AND 9007199254740991 AND due BETWEEN 0 AND 8640000000000000 AND taken BETWEEN 0 AND 8640000000000000 AND data >= '')
  ) STRICT;
CREATE INDEX unrouted_taken ON unrouted (taken);
CREATE TABLE rates (
    queue INTEGER NOT NULL, at INTEGER NOT NULL, handled INTEGER NOT NULL, failed INTEGER NOT NULL,
    PRIMARY KEY (queue, at)
  ) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES (1, 1, 'an earlier start', 1793530000000);
INSERT INTO queues VALUES (1, 'billing', 1);
INSERT INTO queues VALUES (2, 'mail', 0);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES ('queues', 2);
INSERT INTO sqlite_sequence VALUES ('dead', 2);
INSERT INTO subscriptions VALUES (1, 'order', '*');
INSERT INTO subscriptions VALUES (2, 'order', '*');
INSERT INTO messages VALUES (1, 1, 4102444800000, 1, 1, 1793534400000, 'parked', 'order.placed', 'a', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"parked"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}]}', 1, 0);
INSERT INTO messages VALUES (2, 2, 4102444800000, 1, 0, 1793534400000, 'parked', 'order.placed', 'a', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"parked"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}]}', 1, 0);
INSERT INTO messages VALUES (3, 1, NULL, 0, 0, 1793534400000, 'behind', 'order.placed', 'a', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"behind"}', NULL, 0, 1);
INSERT INTO messages VALUES (4, 2, NULL, 0, 0, 1793534400000, 'behind', 'order.placed', 'a', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"behind"}', NULL, 0, 0);
INSERT INTO messages VALUES (5, 1, 1700000000000, 1, 0, 1793534400000, 'failed', 'order.placed', 'b', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"failed"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}]}', 1, 0);
INSERT INTO messages VALUES (6, 2, 1700000000000, 1, 0, 1793534400000, 'failed', 'order.placed', 'b', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"failed"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}]}', 1, 0);
INSERT INTO messages VALUES (9, 1, NULL, 0, 0, 1793534400000, 'held', 'order.placed', 'c', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"held"}', NULL, 0, 0);
INSERT INTO messages VALUES (10, 2, NULL, 0, 0, 1793534400000, 'held', 'order.placed', 'c', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"held"}', NULL, 0, 0);
INSERT INTO messages VALUES (11, 1, NULL, 0, 0, 1793534400000, 'ready', 'order.placed', 'd', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"ready"}', NULL, 0, 0);
INSERT INTO messages VALUES (12, 2, NULL, 0, 0, 1793534400000, 'ready', 'order.placed', 'd', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"ready"}', NULL, 0, 0);
INSERT INTO messages VALUES (13, 1, 4102444800000, 0, 0, 1793534400000, 'delayed', 'order.placed', NULL, '{"source":"/millrace","topic":"order","time":1793534400000,"deliverAt":4102444800000,"extensions":{}}', '{"order":"delayed"}', NULL, 0, 0);
INSERT INTO messages VALUES (14, 2, 4102444800000, 0, 0, 1793534400000, 'delayed', 'order.placed', NULL, '{"source":"/millrace","topic":"order","time":1793534400000,"deliverAt":4102444800000,"extensions":{}}', '{"order":"delayed"}', NULL, 0, 0);
INSERT INTO messages VALUES (15, 1, NULL, 2, 0, 1793534400000, 'alone', 'order.placed', 'e', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"alone"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}]}', 0, 0);
INSERT INTO messages VALUES (16, 2, NULL, 2, 0, 1793534400000, 'alone', 'order.placed', 'e', '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"alone"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}]}', 0, 0);
INSERT INTO held VALUES (9, 1, 'c', 77528097881786, 1, 13920530, 0);
INSERT INTO held VALUES (10, 2, NULL, 149135824747811, 1, 13920553, 0);
INSERT INTO held VALUES (15, 1, 'e', 77528097881787, 3, 13920000, 1);
INSERT INTO held VALUES (16, 2, NULL, 77528097881788, 3, 13920000, 1);
INSERT INTO dead VALUES (1, 1, 'buried', 'buried', 'order.placed', NULL, '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"buried"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}],"error":{"name":"Error","message":"no"},"attempts":1,"deadAt":1793534400000}');
INSERT INTO dead VALUES (2, 2, 'buried', 'buried', 'order.placed', NULL, '{"source":"/millrace","topic":"order","time":1793534400000,"extensions":{}}', '{"order":"buried"}', '{"firstFailedAt":1793534400000,"history":[{"at":1793534400000,"message":"no"}],"error":{"name":"Error","message":"no"},"attempts":1,"deadAt":1793534400000}');
INSERT INTO unrouted VALUES (1, 'customer', NULL, 4102444800000, 'unrouted', 'customer.left', NULL, '{"source":"/millrace","topic":"customer","time":1793534400000,"extensions":{}}', '"nobody asked"');
INSERT INTO rates VALUES (1, 1793534400, 0, 3);
INSERT INTO rates VALUES (2, 1793534400, 0, 3);
PRAGMA application_id = 1835823715;
PRAGMA user_version = 3;
