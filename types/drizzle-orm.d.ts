// The part of Drizzle that the tests use. Its own declarations lead to those of all databases, which are not installed, and
// do not hold on our settings. That its real types fit ours, test/postgres/transaction-types.test.ts shows.

export interface Queries {
  execute(query: string): PromiseLike<unknown>
  transaction<T>(
    run: (tx: Transaction) => Promise<T>,
    config?: { isolationLevel: 'repeatable read' },
  ): Promise<T>
}

export interface Transaction extends Queries {
  rollback(): never
  setTransaction(config: never): Promise<void>
}

export function drizzle(options: { readonly client: unknown }): Queries
