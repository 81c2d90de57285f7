import type { Transport } from './transport.ts'

/** Where the transactions of an app are, if not in its transport. */
export type TransactionStore = Pick<Transport, 'features' | 'publish' | 'transact' | 'reserve'>

/*
 * The types of transactions, where a system has more than one. Only for the compiler.
 */

declare const kinds: unique symbol

/** A Tx for systems where a caller's transaction may be of more types than the one that a handler gets. */
export interface Transactions<Taken, Given> {
  readonly [kinds]: { readonly taken: Taken; readonly given: Given }
}
/** What `publish(..., { transaction })` takes. */
export type TakenOf<Tx> = Tx extends Transactions<infer Taken, unknown> ? Taken : Tx
/** What handlers of transactional queues get. */
export type GivenOf<Tx> = Tx extends Transactions<unknown, infer Given> ? Given : Tx
