/*
 * The part of `pg` that is used, so that the declarations of millrace stand without its types. A pool of `pg` fits, and so
 * does anything that behaves like one.
 */

export interface PgQuery {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Prepared under this name, once for each connection. */
  readonly name?: string
}

export interface PgResult {
  readonly rows: readonly unknown[]
  readonly rowCount: number | null
}

/** A connection of a pool. */
export interface PgConnection {
  query(query: PgQuery): Promise<PgResult>
  /** @param broken whether the pool must not hand it out again */
  release(broken?: boolean): void
}

export interface PgPool {
  query(query: PgQuery): Promise<PgResult>
  connect(): Promise<PgConnection>
}
