import type { Duration } from '../../clock/duration.ts'
import type { PgPool } from './client.ts'

/*
 * Apart from the client, so that its types are no business of those who only read ours.
 */

/** What a transport, a store and locks have in common. */
export interface PostgresConnectionOptions {
  /** `postgres://user:password@host:5432/database`; see `postgres`. */
  connectionString?: string
  host?: string
  port?: number
  database?: string
  user?: string
  password?: string | (() => string | Promise<string>)
  /** true, or options of node:tls. */
  ssl?: boolean | Readonly<Record<string, unknown>>
  /** Connections at most; a transport has one more, that listens. Default 10. */
  max?: number
  /**
   * A pool of `pg` that is yours, in place of all above: it stays open at the close. One of its connections listens for a
   * transport, unless it has only one.
   */
  pool?: PgPool
  /** Where the tables are. Made if it is not there. Default `millrace`. */
  schema?: string
  /** Whether tables are made and brought forward at first use (`auto`, the default), or must be there (`off`). */
  migrate?: 'auto' | 'off'
}

export interface PostgresOptions extends PostgresConnectionOptions {
  /** How long events are kept that no queue subscribes to. Default 7 days. */
  retention?: Duration
  /** How long a transactional queue knows an event that it has handled, should it come again. Default 7 days. */
  remember?: Duration
  /**
   * How consumers learn of new events: at once by LISTEN and NOTIFY, by looking each `pollInterval`, or by both (the
   * default), so that a notification that was lost costs no more than that.
   */
  wake?: 'notify' | 'interval' | 'both'
  /** Default 1 s. */
  pollInterval?: Duration
}

export interface PostgresStoreOptions extends PostgresConnectionOptions {
  /** Tells the store from others in the schema: as many as one likes, each with keys of its own. Default `default`. */
  name?: string
}

export interface PostgresLocksOptions extends PostgresConnectionOptions {
  /** Tells the locks from others in the schema, which may be called the same. Default `default`. */
  name?: string
}
