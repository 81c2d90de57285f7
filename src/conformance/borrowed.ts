import type { QueueSpec, SessionOptions, Transport, TransportPublishOptions } from '../contract/transport.ts'
import type { Outgoing } from '../event/outgoing.ts'

/** A transport that an app cannot close: a case wants to see what the app left behind. */
export function borrowed(transport: Transport): Transport {
  const nothing = async (): Promise<void> => {}
  return {
    system: transport.system,
    features: transport.features,
    admin: transport.admin,
    declare: (queues: readonly QueueSpec[]) => transport.declare(queues),
    publish: (events: readonly Outgoing[], options?: TransportPublishOptions) =>
      transport.publish(events, options),
    open: (queue: string, options: SessionOptions) => transport.open(queue, options),
    close: nothing,
    [Symbol.asyncDispose]: nothing,
  }
}
