/*
 * The part of `pg` that is used, so that the declarations of millrace stand without its types. A pool of `pg` fits, and so
 * does anything that behaves like one.
 */

export interface PgQuery {
  readonly text: string
  readonly values?: unknown[]
  /** Prepared under this name, once for each connection. */
  readonly name?: string
  /** The connection is given up if no answer has come after so many milliseconds. */
  readonly query_timeout?: number
  /** Each row is an array of its values. */
  readonly rowMode?: 'array'
  /** What becomes of values that come as text, by the object ids of their types. */
  readonly types?: { getTypeParser(type: number): (text: string) => unknown }
}

export interface PgResult {
  readonly rows: readonly unknown[]
  readonly rowCount: number | null
  /** What was done: a COMMIT of a transaction in which a statement has failed is a ROLLBACK. */
  readonly command: string
}

/** A connection of a pool. */
export interface PgConnection {
  query(query: PgQuery): Promise<PgResult>
  query(query: PgQuery, done: (error: Error | null, result: PgResult) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  on(
    event: 'notification',
    listener: (message: { readonly channel: string; readonly payload?: string | undefined }) => void,
  ): unknown
  /** Nothing is under way any more, and nothing waits. */
  on(event: 'drain', listener: () => void): unknown
  removeListener(event: 'error' | 'drain', listener: (error: Error) => void): unknown
  /** @param broken whether the pool must not hand it out again */
  release(broken?: boolean): void
}

export interface PgPool {
  /**
   * As `pg` has them. `max`: how many connections it makes at most. Where there are none nobody knows how a connection went, and
   * the server is not asked to end what takes too long.
   */
  readonly options?: { readonly max?: number | undefined }
  /** The callback gets the connection before anything can befall it, as a promise would not. */
  connect(callback: (error: Error | undefined, connection: PgConnection | undefined) => void): void
}

/** The client of `pg` that handlers of transactional queues get as `ctx.transaction`. To a library's own type: `as unknown as PoolClient`. */
export interface PgHandlerTransaction {
  query<Row = unknown>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Row[]; readonly rowCount: number | null }>
  query(query: { text: string; values?: unknown[] }): Promise<{ readonly rows: readonly unknown[] }>
  escapeIdentifier(text: string): string
}
