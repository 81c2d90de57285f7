import type { QueueSpec } from '../contract/transport.ts'
import type { Outgoing } from '../event/outgoing.ts'

const name = 'millrace.outbox'

/** Where an outbox keeps what is to be sent on, in its order: a queue with a topic of its own, which `*` does not mean. */
export const outboxQueue: QueueSpec = {
  name,
  subscriptions: [{ topic: name, pattern: '*' }],
  // What was published before the queue was there waits among the unrouted.
  from: 'beginning',
  order: true,
}

/** As the outbox keeps it. The head says where it goes, and when it is due: the transport waits for that, not the outbox. */
export function enclosed(event: Outgoing): Outgoing {
  return { ...event, topic: name, deliverAt: undefined }
}
