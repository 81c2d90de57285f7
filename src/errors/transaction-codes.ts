/** The codes of transactions and of the outbox: a part of the table in codes.ts. */
export const transactionCodes = {
  TRANSACTION_UNSUPPORTED: {
    summary:
      'A `transaction` was given, or a queue is `transactional`, but the transport has no such transactions.',
    remedy:
      'Use a transport whose `features.transactions` says so, give the app an `outbox` that has them, or leave the transaction out.',
  },
  TRANSACTION_INVALID: {
    summary:
      'What was given as `transaction` is no transaction that the transport or the outbox can write in: another kind of object, a pool, a connection to another database, or one with no transaction open. Nothing was written.',
    remedy:
      'Give the object that your own writes go through, after its transaction has begun, and await the publish before the commit; docs/transactions.md has an example for each library.',
  },
  TRANSACTION_OVER: {
    summary:
      'A handler of a transactional queue published, or ran a statement on `ctx.transaction`, after it had ended. Nothing was done.',
    remedy:
      'Await every publish and every statement in the handler; what is to come later, do with `app.publish` and a connection of your own.',
  },
  TRANSACTION_MANAGED: {
    summary:
      'A handler of a transactional queue called `connect` or `end` of `ctx.transaction`, whose connection is not its own. Nothing was done.',
    remedy: 'Leave the call out: the transaction and its connection end with the handler.',
  },
  OUTBOX_UNSUPPORTED: {
    summary: 'The transport given as `outbox` cannot hold one.',
    remedy: 'Leave `outbox` out, or give a transport with `features.transactions`.',
  },
} as const
