import { can, type Library } from './library.ts'

/** What `db.transaction` of Drizzle hands to its callback, over `pg` or `postgres`. */
export interface DrizzleTransaction {
  execute(query: string): PromiseLike<unknown>
  rollback(): never
  setTransaction(config: never): Promise<void>
}

/** What `execute` really asks of a query, besides being a text: `sql` of Drizzle makes such objects. */
interface Query {
  getSQL(): { toQuery(): { readonly sql: string; readonly params: readonly string[] } }
}

export const drizzle: Library = {
  transaction: 'the `tx` of Drizzle',
  join(candidate) {
    if (isTransaction(candidate)) {
      return async (sql, params) => {
        const query: Query = { getSQL: () => ({ toQuery: () => ({ sql, params }) }) }
        return rowsOf(await candidate.execute(query))
      }
    }
    return can(candidate, 'execute', 'transaction', 'select')
      ? 'The `db` of Drizzle itself has none'
      : undefined
  },
}

function isTransaction(candidate: object): candidate is { execute(query: Query): PromiseLike<Result> } {
  return can(candidate, 'execute', 'rollback', 'setTransaction')
}

/** As the driver below gives it: `postgres` an array, `pg` an object. */
type Result = readonly unknown[] | { readonly rows: readonly unknown[] }

function rowsOf(result: Result): readonly unknown[] {
  return 'rows' in result ? result.rows : result
}
