import { MillraceError } from '../../errors/millrace-error.ts'
import type { Database } from './database.ts'
import { applicationId, tables, version } from './schema.ts'

/**
 * What makes a file of version n + 1 out of one of version n, by n. Never changed once released. A process of version n may
 * have the file open: what it must not go on doing has to fail from then on.
 */
const migrations: readonly string[] = [
  '',
  `
  ALTER TABLE messages ADD COLUMN steady INTEGER NOT NULL DEFAULT 0 CHECK (steady BETWEEN 0 AND 1);
  ALTER TABLE messages ADD COLUMN aside INTEGER NOT NULL DEFAULT 0 CHECK (aside BETWEEN 0 AND 1);
  ALTER TABLE meta ADD COLUMN booted INTEGER CHECK (booted BETWEEN -8640000000000000 AND 8640000000000000);
  UPDATE messages SET steady = 1 WHERE due IS NOT NULL AND failures > 0;
  DROP INDEX ready;
  DROP INDEX waiting;
  CREATE INDEX ready ON messages (queue, seq, key) WHERE due IS NULL AND aside = 0;
  CREATE INDEX aside ON messages (queue, key, seq) WHERE due IS NULL AND aside = 1;
  CREATE INDEX waiting ON messages (queue, steady, due) WHERE due IS NOT NULL;
  `,
  'UPDATE messages SET aside = 0 WHERE aside = 1;',
  `
  ALTER TABLE messages RENAME TO version_3;
  DROP INDEX ready;
  DROP INDEX aside;
  DROP INDEX waiting;
  DROP INDEX parked;
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    due INTEGER,
    steady INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    taken INTEGER NOT NULL,
    id TEXT NOT NULL, type TEXT NOT NULL, key TEXT,
    head TEXT NOT NULL, data ANY NOT NULL, trail TEXT,
    CHECK (seq BETWEEN 1 AND 9007199254740991 AND due BETWEEN 0 AND 8640000000000000 AND steady BETWEEN 0 AND 1
      AND failures BETWEEN 0 AND 1000000000 AND parked BETWEEN 0 AND 1 AND taken BETWEEN 0 AND 8640000000000000 AND data >= '')
  ) STRICT;
  INSERT INTO events SELECT seq, queue, due, steady, failures, parked, taken, id, type, key, head, data, trail FROM version_3;
  DROP TABLE version_3;
  CREATE INDEX waiting ON events (queue, steady, due) WHERE due IS NOT NULL;
  CREATE INDEX parked ON events (queue, key, seq) WHERE parked = 1;
  CREATE TABLE ready (
    queue INTEGER NOT NULL, seq INTEGER NOT NULL CHECK (seq BETWEEN 1 AND 9007199254740991), key TEXT,
    PRIMARY KEY (queue, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE aside (
    queue INTEGER NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL CHECK (seq BETWEEN 1 AND 9007199254740991),
    PRIMARY KEY (queue, key, seq)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE held RENAME COLUMN owner TO holder;
  INSERT INTO ready SELECT queue, seq, key FROM events WHERE due IS NULL AND seq NOT IN (SELECT seq FROM held);
  `,
]

/** What the file says of itself; a process that has it open may be older. */
export function formatOf(database: Database): number {
  return pragma(database, 'user_version')
}

/** The version of the file's tables; 0: it is empty. @throws MillraceError STORE_INCOMPATIBLE */
export function checkFormat(database: Database): number {
  const application = pragma(database, 'application_id')
  const found = formatOf(database)
  if (application === applicationId) {
    if (found >= 1 && found <= version) return found
    throw new MillraceError(
      'STORE_INCOMPATIBLE',
      `${database.path} has format ${found}; this version of millrace reads formats up to ${version}`,
    )
  }
  const { count } = database.get<{ count: number }>('SELECT count(*) AS count FROM sqlite_schema')!
  if (application === 0 && found === 0 && count === 0) return 0
  throw new MillraceError('STORE_INCOMPATIBLE', `${database.path} is a SQLite database of something else`)
}

/** Whether `bringForward` has nothing to do. */
export function isPresent(database: Database): boolean {
  return checkFormat(database) === version
}

/** Makes the tables, or brings those of an older version forward. Within a write transaction, so that one process does it. */
export function bringForward(database: Database): void {
  const found = checkFormat(database)
  if (found === 0) database.script(tables)
  for (let from = found; from > 0 && from < version; from++) {
    database.script(`${migrations[from]!} PRAGMA user_version = ${from + 1};`)
  }
}

function pragma(database: Database, name: 'application_id' | 'user_version'): number {
  return database.get<Record<string, number>>(`PRAGMA ${name}`)![name]!
}
