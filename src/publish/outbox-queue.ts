import type { Features } from '../contract/features.ts'
import type { QueueSpec, Received } from '../contract/transport.ts'
import { onwards, type Outgoing } from '../event/outgoing.ts'

const name = 'millrace.outbox'

/** Where an outbox keeps what is to be sent on, in its order: a queue with a topic of its own, which `*` does not mean. */
export const outboxQueue: QueueSpec = {
  name,
  subscriptions: [{ topic: name, pattern: '*' }],
  // What was published before the queue was there waits among the unrouted.
  from: 'beginning',
  order: true,
}

/**
 * As the outbox keeps it. The head says where it goes, and when it is due: the transport waits for that, not the outbox. An
 * outbox with a clock of its own makes a date of a delay; else the head says that there is one.
 */
export function enclosed(event: Outgoing, { delayClock }: Features): Outgoing {
  const isDelayed = event.delay !== undefined && delayClock !== 'server'
  const head = isDelayed ? { ...event.head, delayed: true } : event.head
  return { ...event, head, topic: name, deliverAt: undefined }
}

/** As it is sent on, with what is left of a delay. `now`: by the clock of this machine, in milliseconds since 1970. */
export function disclosed({ id, type, key, head, data }: Received, now: number): Outgoing {
  const { delayed = false, deliverAt = now } = head
  if (!delayed) return onwards({ id, type, key, head, data })
  const outgoing = onwards({ id, type, key, head: { ...head, delayed: undefined }, data })
  return { ...outgoing, delay: Math.max(Math.ceil(deliverAt - now), 0) }
}
