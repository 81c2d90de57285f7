import { systemClock } from './clock/clock.ts'
import type { Bridge } from './contract/bridge.ts'
import type { Logger } from './contract/ingress.ts'
import type { Transport } from './contract/transport.ts'
import { asTransport } from './app.ts'
import { EventPublisher, type Publisher } from './publish/publisher.ts'
import { EventReceiver, type Receiver } from './receive/receiver.ts'
import { stderrLogger } from './receive/reporter.ts'
import { UrlTransport } from './url.ts'

/**
 * The publishing half of an app. Whoever made the transport closes it.
 * @throws MillraceError INVALID_OPTION unless exactly one of `transport` and `bridge` is given
 */
export function createPublisher(options: {
  transport?: Transport
  bridge?: Bridge
  source?: string
}): Publisher {
  const { transport, bridge, source } = options
  return new EventPublisher({
    transport: transport === undefined ? undefined : async () => transport,
    destination: transport?.system,
    bridge,
    source,
    clock: systemClock,
  })
}

/**
 * The receiving half of an app. Whoever made the transport closes it; a receiver that was given a URL does so itself.
 * @throws MillraceError UNKNOWN_TRANSPORT
 */
export function createReceiver(options: {
  transport: Transport | string
  logger?: Logger | false
}): Receiver {
  const given = asTransport(options.transport)
  const transport = async (): Promise<Transport> => (given instanceof UrlTransport ? given.load() : given)
  return new OwningReceiver(given instanceof UrlTransport ? given : undefined, {
    transport,
    publisher: new EventPublisher({ transport, destination: given.system, clock: systemClock }),
    catalog: undefined,
    clock: systemClock,
    logger: options.logger === false ? undefined : (options.logger ?? stderrLogger),
  })
}

class OwningReceiver extends EventReceiver {
  readonly #own: Transport | undefined

  constructor(own: Transport | undefined, parts: ConstructorParameters<typeof EventReceiver>[0]) {
    super(parts)
    this.#own = own
  }

  override async stop(options: Parameters<EventReceiver['stop']>[0] = {}): Promise<void> {
    await super.stop(options)
    await this.#own?.close()
  }
}
