import type { SQLInputValue } from 'node:sqlite'

/** By place, or by name; names that a statement does not use are passed over. */
export type Values = readonly SQLInputValue[] | readonly [Readonly<Record<string, SQLInputValue>>]

/** What runs SQL: our own connection, or one of a caller within their transaction. */
export interface Statements {
  all<Row>(sql: string, ...values: Values): Row[]
  get<Row>(sql: string, ...values: Values): Row | undefined
  /** Gives the number of rows changed. */
  run(sql: string, ...values: Values): number
}
