import { memory } from '../../src/adapters/memory/index.ts'
import { MemoryTransport } from '../../src/adapters/memory/memory-transport.ts'
import type { CallersTransaction } from '../../src/conformance/index.ts'
import type { Features } from '../../src/contract/features.ts'
import { PublishError } from '../../src/contract/publish-error.ts'
import type { Transport, TransportPublishOptions } from '../../src/contract/transport.ts'
import type { Outgoing } from '../../src/event/outgoing.ts'
import type { Proof, Sabotage } from './broken-transport.ts'

/** What a caller has begun. */
class Begun {
  readonly events: Outgoing[] = []
}

/** Memory with transactions that hold what is published until they commit: enough to see what the suite notices. */
export class TransactionalMemory extends MemoryTransport {
  override readonly features: Features = { ...memory().features, transactions: 'publish' }

  override async publish(events: readonly Outgoing[], options: TransportPublishOptions = {}): Promise<void> {
    const { transaction, ...others } = options
    if (transaction === undefined || others.signal?.aborted === true) return super.publish(events, others)
    if (transaction instanceof Begun) return void transaction.events.push(...events)
    const results = events.map(() => 'rejected' as const)
    throw new PublishError('no transaction', { results, retryable: false, code: 'TRANSACTION_INVALID' })
  }

  begin(): CallersTransaction {
    const transaction = new Begun()
    return { transaction, commit: () => super.publish(transaction.events), rollback: () => undefined }
  }
}

type Publish = Transport['publish']
const publish = (change: (inner: Publish) => Publish): Sabotage => ({
  transport: (inner) => ({ publish: change((events, options) => inner.publish(events, options)) }),
})

/** Wrong ways to publish in a transaction. */
export const transactions: Readonly<Record<string, Proof>> = {
  'publishes at once what is in a transaction': {
    by: publish((inner) => (events) => inner(events)),
    caughtBy: [
      'what is published in a transaction comes when it commits, and not before',
      'a transaction that is rolled back leaves nothing',
      'unrouted events of a transaction are kept if it commits',
      'what is no transaction is refused, and nothing is published',
      'a publish in a transaction that is aborted beforehand takes nothing, and leaves the transaction as it was',
    ],
  },
  'forgets what is in a transaction': {
    by: publish(
      (inner) => async (events, options) => (options?.transaction === undefined ? inner(events) : undefined),
    ),
    caughtBy: [
      'ready wakes when a transaction commits',
      'a queue that is declared from the beginning meanwhile gets what was published in a transaction',
    ],
  },
  'turns the events of a transaction around': {
    by: publish(
      (inner) => (events, options) =>
        inner(options?.transaction === undefined ? events : events.toReversed(), options),
    ),
    caughtBy: [
      'several publishes in one transaction come in their order, between what was published before and after it',
    ],
  },
  'takes events of a transaction twice': {
    by: publish(
      (inner) => (events, options) =>
        inner(options?.transaction === undefined ? events : [...events, ...events], options),
    ),
    caughtBy: ['each queue gets one copy of what is published in a transaction, one of another instance too'],
  },
  'forgets when an event of a transaction is due': {
    by: publish(
      (inner) => (events, options) =>
        inner(
          events.map((event) => ({ ...event, deliverAt: undefined })),
          options,
        ),
    ),
    caughtBy: ['what is published in a transaction waits until it is due'],
  },
  'takes its own topics for topics like others': {
    by: {
      transport: (inner) => ({
        publish: (events, options) =>
          inner.publish(
            [
              ...events,
              ...events
                .filter(({ topic }) => topic.startsWith('millrace.'))
                .map((event) => ({ ...event, topic: event.head.topic })),
            ],
            options,
          ),
      }),
    },
    caughtBy: ['topics of millrace itself are no part of all topics'],
  },
}
