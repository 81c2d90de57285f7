/** What files and databases say: a part of the table in codes.ts. */
export const databaseCodes = {
  STORE_BUSY: {
    summary:
      'Others kept the store locked: the SQLite file for longer than 10 s, or rows of the database until it gave up (a deadlock, a time limit of its own).',
    remedy: 'End the program or transaction that holds locks for so long; what is repeated may succeed.',
  },
  STORE_FULL: {
    summary:
      'The disk, that of the database server, the limit of the database file, or the 512 MiB of the memory transport or a memory store are full. Nothing was taken.',
    remedy:
      'Free disk space; on the memory transport, handle faster or purge dead letters; give entries of a memory store a `ttl`. What was taken before is safe.',
  },
  STORE_READ_ONLY: {
    summary:
      'The file or its folder is not writable; or the database takes no writes, or not from this role.',
    remedy: 'Correct the permissions, or choose another path or server (a standby takes no writes).',
  },
  STORE_CORRUPT: {
    summary:
      'The file is not a SQLite database, or is damaged; or the database server says that its data is.',
    remedy: 'Restore it from a backup, or run `.recover` of the sqlite3 tool on a copy of the file.',
  },
  STORE_INCOMPATIBLE: {
    summary:
      'The file or schema was written by a newer version of millrace, or the file is a database of something else, or the server is too old or does not store UTF-8.',
    remedy:
      'Upgrade millrace, and start again what still runs the older version; or choose another path, schema or server.',
  },
  STORE_NETWORK: {
    summary: 'The file is on a network file system, where SQLite locks cannot be trusted.',
    remedy: 'Use a local disk, or a server transport such as Postgres.',
  },
  STORE_FAILED: {
    summary: 'SQLite or Postgres reported another error.',
    remedy: '`cause` holds its code and message.',
  },
  MIGRATION_NEEDED: {
    summary:
      'The tables in the database are missing or of an older version, and millrace may not make them: `migrate` is `off`, or the role lacks the right.',
    remedy:
      'Run the SQL of the message, or that which `millrace migrate postgres --print` prints, as a role that may.',
  },
  DURABILITY_WEAK: {
    summary:
      'The server is set up not to wait for its disk, so a power cut can take back what was published.',
    remedy: 'Set `fsync`, `synchronous_commit` and `full_page_writes` of Postgres to `on`.',
  },
  SQLITE_TOO_OLD: {
    summary: 'The SQLite inside this Node.js has the WAL-reset bug, which can lose committed events.',
    remedy: 'Use Node.js 24.15 or newer, or 22.22.3 or newer in the 22 line.',
  },
} as const
