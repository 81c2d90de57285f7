import { can, type Library } from './library.ts'

/** The `sql` that `sql.begin` and `savepoint` of `postgres` hand to their callbacks. */
export interface PostgresJsTransaction {
  unsafe(query: string, parameters?: string[]): PromiseLike<readonly object[]>
  savepoint(run: never): Promise<unknown>
}

export const postgresJs: Library = {
  transaction: 'the `sql` that `sql.begin` of postgres hands to its callback',
  join(candidate) {
    if (isTransaction(candidate)) return (text, values) => candidate.unsafe(text, [...values])
    return can(candidate, 'unsafe', 'begin') ? 'The `sql` of postgres itself has none' : undefined
  },
}

function isTransaction(candidate: object): candidate is PostgresJsTransaction {
  return can(candidate, 'unsafe', 'savepoint')
}
