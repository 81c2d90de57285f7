import { can, type Library } from './library.ts'

/** What `db.transaction().execute` of Kysely hands to its callback, or `db.startTransaction().execute` gives. */
export interface KyselyTransaction {
  readonly isTransaction: true
  executeQuery(query: CompiledQuery): Promise<{ readonly rows: readonly unknown[] }>
}

interface CompiledQuery {
  readonly sql: string
  readonly parameters: readonly string[]
  readonly query: {
    readonly kind: 'RawNode'
    readonly sqlFragments: readonly string[]
    readonly parameters: readonly never[]
  }
  readonly queryId: { readonly queryId: string }
}

export const kysely: Library = {
  transaction: 'the `trx` of Kysely',
  join(candidate) {
    if (!isKysely(candidate)) return undefined
    if (!candidate.isTransaction) return 'The `db` of Kysely itself has none'
    return async (sql, parameters) => (await candidate.executeQuery(compiled(sql, parameters))).rows
  },
}

function isKysely(candidate: object): candidate is Omit<KyselyTransaction, 'isTransaction'> & {
  readonly isTransaction: boolean
} {
  return can(candidate, 'executeQuery', 'selectFrom') && 'isTransaction' in candidate
}

/** As `CompiledQuery.raw` makes it. */
function compiled(sql: string, parameters: readonly string[]): CompiledQuery {
  return {
    sql,
    parameters,
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'millrace' },
  }
}
