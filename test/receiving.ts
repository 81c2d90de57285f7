import { onTestFinished } from 'vitest'
import { faultyTransport, type SessionFaults, type TransportFaults } from './faulty-transport.ts'
import { lines } from './signals.ts'
import { systemClock } from '../src/clock/clock.ts'
import type { Transport } from '../src/contract/transport.ts'
import type { CatalogRuntime } from '../src/event/catalog.ts'
import { EventPublisher } from '../src/publish/publisher.ts'
import { Reporter } from '../src/report/reporter.ts'
import { EventReceiver } from '../src/receive/receiver.ts'

/** A receiver on a faulty transport, stopped at the end of the test. */
export function receiving(
  faults: TransportFaults = {},
  session: SessionFaults = {},
  catalog?: CatalogRuntime,
) {
  const real = faultyTransport(faults, session)
  const transport = async (): Promise<Transport> => real
  const publisher = new EventPublisher({ transport, clock: systemClock })
  const { log, logger } = lines()
  const receiver = new EventReceiver({
    transport,
    publisher,
    catalog,
    clock: systemClock,
    reporter: new Reporter(logger),
  })
  onTestFinished(() => receiver.stop({ timeout: 0 }))
  return { receiver, publisher, log, transport: real }
}
