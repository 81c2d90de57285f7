import type { Features } from '../../src/index.ts'
import { outboxQueue } from '../../src/publish/outbox-queue.ts'
import type { Evidence } from './checker/facts.ts'
import { types } from './plan.ts'
import type { ChaosQueue } from './queues.ts'

/** An outbox is a queue, too, and relays are its consumers. They send many of one key in one call: where that has come they are in order. */
export const outboxAsQueue: ChaosQueue = { name: outboxQueue.name, types, order: 'none' }

/** As relays take it, in milliseconds. */
export const relayLease = 30_000

/** What the checker has to know of an outbox of these features. */
export function outboxEvidence(features: Features): NonNullable<Evidence['outbox']> {
  return {
    queues: [outboxAsQueue],
    features,
    lease: relayLease,
    settling: 0,
    retryClock: 'monotonic',
    attempts: Infinity,
  }
}
