import { can, type Library } from './library.ts'

/** What `knex.transaction` hands to its callback, or gives without one. */
export interface KnexTransaction {
  raw(sql: string, bindings: readonly string[]): PromiseLike<{ readonly rows: readonly unknown[] }>
  isCompleted(): boolean
}

export const knex: Library = {
  transaction: 'the `trx` of Knex',
  join(candidate) {
    if (isTransaction(candidate)) {
      if (candidate.isCompleted()) return 'This transaction of Knex has ended'
      return async (sql, bindings) => (await candidate.raw(withMarks(sql), bindings)).rows
    }
    return can(candidate, 'raw', 'transaction') ? 'Knex itself has none' : undefined
  },
}

function isTransaction(candidate: object): candidate is KnexTransaction {
  return can(candidate, 'raw', 'isCompleted')
}

/** Knex numbers its parameters itself. What stands in quotes is a name. */
function withMarks(sql: string): string {
  const parts = /"(?:[^"]|"")*"|\$\d+|\?/g
  return sql.replaceAll(parts, (part) => (part.startsWith('$') ? '?' : part.replaceAll('?', '\\?')))
}
