import { systemClock } from '../../src/clock/clock.ts'
import type { Session, Transport } from '../../src/contract/transport.ts'
import type { QueueOptions } from '../../src/index.ts'
import { queueName } from '../app.ts'

/** A session without an engine, whose leases do not end while anything is measured. */
export function openSession(transport: Transport, { order }: QueueOptions = {}): Promise<Session> {
  return transport.open(queueName, {
    lease: 60 * 60_000,
    order: order !== undefined,
    clock: systemClock,
    notice() {},
    onRevoke() {},
    onLost() {},
  })
}
