import { systemClock } from './clock/clock.ts'
import { milliseconds, type Duration } from './clock/duration.ts'
import { within } from './clock/within.ts'
import type { Bridge } from './contract/bridge.ts'
import type { Logger } from './contract/ingress.ts'
import type { Transport } from './contract/transport.ts'
import { asTransport } from './app.ts'
import { EventPublisher, type Publisher } from './publish/publisher.ts'
import { defaultTimeout, EventReceiver, type Receiver } from './receive/receiver.ts'
import { hookFailed, Reporter, stderrLogger } from './report/reporter.ts'
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
    hookFailed: (cause) => new Reporter(stderrLogger).notice(hookFailed('onDeliveryFailure', cause), 'error'),
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
  const publisher = new EventPublisher({ transport, destination: given.system, clock: systemClock })
  const receiver: OwningReceiver = new OwningReceiver(
    {
      transport,
      publisher,
      catalog: undefined,
      clock: systemClock,
      reporter: new Reporter(options.logger === false ? undefined : (options.logger ?? stderrLogger)),
      stop: () => receiver.stop(),
    },
    publisher,
    given instanceof UrlTransport ? given : undefined,
  )
  return receiver
}

/** After the handlers, what they published may still be on its way. */
const graceForPublishing = 1_700

/** A receiver with what only it uses: the publisher of its handlers, and the transport that it made of a URL. */
class OwningReceiver extends EventReceiver {
  readonly #publisher: EventPublisher
  readonly #own: Transport | undefined

  constructor(
    parts: ConstructorParameters<typeof EventReceiver>[0],
    publisher: EventPublisher,
    own: Transport | undefined,
  ) {
    super(parts)
    this.#publisher = publisher
    this.#own = own
  }

  override async stop(options: { timeout?: Duration } = {}): Promise<void> {
    const deadline = systemClock.monotonic() + milliseconds(options.timeout ?? defaultTimeout, 'timeout')
    await super.stop(options)
    const left = deadline + graceForPublishing - systemClock.monotonic()
    if (!(await within(this.#publisher.close(), left))) this.#publisher.giveUp()
    await this.#own?.close()
  }
}
