import { can, type Library } from './library.ts'

/** A client of `pg` in which a transaction was begun. */
export interface PgTransaction {
  query(query: { text: string; values?: string[] }): Promise<{ readonly rows: readonly unknown[] }>
  /** A pool, each of whose queries may go to another client, has none. */
  escapeIdentifier(text: string): string
}

/** What newer versions know without asking the server: idle, in a transaction, in one that has failed. */
interface Status {
  getTransactionStatus?(): 'I' | 'T' | 'E' | null
}

export const pg: Library = {
  transaction: 'a client of pg after BEGIN',
  join(candidate) {
    if (isClient(candidate)) {
      const status = candidate.getTransactionStatus?.()
      if (status === 'I' || status === null) return 'This client of pg has begun none'
      if (status === 'E')
        return 'A statement of this transaction has failed, so that it can only be rolled back'
      return async (text, values) => (await candidate.query({ text, values: [...values] })).rows
    }
    return can(candidate, 'query', 'connect')
      ? 'A pool of pg has none: each query may go to another client'
      : undefined
  },
}

function isClient(candidate: object): candidate is PgTransaction & Status {
  return can(candidate, 'query', 'escapeIdentifier')
}
