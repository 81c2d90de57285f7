export type SqliteValue = null | number | string | Uint8Array

/** Your own `DatabaseSync` of node:sqlite on the transport's file, with a transaction begun on it. */
export interface SqliteTransaction {
  readonly isTransaction: boolean
  prepare(sql: string): {
    run(...values: SqliteValue[]): { readonly changes: number | bigint }
    get(...values: SqliteValue[]): unknown
    all(...values: SqliteValue[]): unknown[]
    setReturnArrays(enabled: boolean): void
    setReadBigInts(enabled: boolean): void
  }
}
