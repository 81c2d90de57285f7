import { MemoryTransport } from '../src/adapters/memory/memory-transport.ts'
import { systemClock } from '../src/clock/clock.ts'
import type { Settlement, Transport, TransportPublishOptions } from '../src/contract/transport.ts'
import { encodeEvent, type Outgoing } from '../src/event/outgoing.ts'
import { createEvent } from '../src/index.ts'
import { enclosed, outboxQueue } from '../src/publish/outbox-queue.ts'
import { Relay } from '../src/publish/relay.ts'
import { Reporter } from '../src/report/reporter.ts'
import { type } from './app.ts'
import { customerOf, inBatches, order, timed } from './load.ts'
import type { RateRow, Run, Settings, Work } from './row.ts'

/** A transport that takes all and forgets it, so that the outbox is the slower side; resolves `full` after so many. */
class Sink extends MemoryTransport {
  readonly #full = Promise.withResolvers<void>()
  #left: number

  constructor(count: number) {
    super()
    this.#left = count
  }

  get full(): Promise<void> {
    return this.#full.promise
  }

  override async publish(events: readonly Outgoing[], _options?: TransportPublishOptions): Promise<void> {
    this.#left -= events.length
    if (this.#left <= 0) this.#full.resolve()
  }
}

/** An outbox with nothing in it, which nobody else uses. */
export type OutboxFor = <T>(use: (outbox: Transport) => Promise<T>) => Promise<T>

type Empty = (outbox: Transport, count: number) => Promise<void>

/** Fills an outbox of its own, then measures how it is emptied. */
const emptying =
  (outboxFor: OutboxFor, empty: Empty): Run =>
  (count) =>
    outboxFor(async (outbox): Promise<Work> => {
      await outbox.declare([outboxQueue])
      await inBatches(count, 500, (numbers) =>
        outbox.publish(
          numbers.map((n) =>
            enclosed(encodeEvent(createEvent(type, order(n), { key: customerOf(n) })), outbox.features),
          ),
        ),
      )
      const spent = await timed(() => empty(outbox, count))
      const [left] = await outbox.admin.queues()
      return { ...spent, events: count - left!.depth - left!.inFlight }
    })

const taking: Empty = async (outbox, count) => {
  const session = await outbox.open(outboxQueue.name, {
    lease: 60 * 60_000,
    order: true,
    clock: systemClock,
    notice() {},
    onRevoke() {},
    onLost() {},
  })
  let settle: readonly Settlement[] = []
  for (let taken = 0; taken < count; taken += settle.length) {
    const { received } = await session.exchange({ settle, max: session.claim })
    settle = received.map((of) => ({ of, as: 'ack' }))
  }
  await session.settle(settle)
  await session.close()
}

const relaying: Empty = async (outbox, count) => {
  const sink = new Sink(count)
  const relay = new Relay({
    clock: systemClock,
    outbox: async () => outbox,
    transport: async () => sink,
    destination: sink.system,
    reporter: new Reporter(undefined),
    onDead() {},
  })
  await relay.start()
  await sink.full
  await relay.stop(systemClock.monotonic() + 10_000)
}

interface RelayPlan extends AsyncDisposable {
  readonly settings: Settings
  readonly outboxFor: OutboxFor
}

export function relayRow(system: string, open: () => Promise<RelayPlan>): RateRow {
  return {
    kind: 'rate',
    name: `${system}.relay`,
    about: 'out of the outbox and published to a transport that takes all at once',
    baseline: 'a bare loop that claims and acknowledges what is in the outbox: the slower side',
    bar: 0.8,
    async open() {
      const plan = await open()
      const { settings, outboxFor } = plan
      return {
        settings: { event: '1 KB of JSON', keys: 10_000, ...settings },
        raw: emptying(outboxFor, taking),
        ours: emptying(outboxFor, relaying),
        [Symbol.asyncDispose]: () => plan[Symbol.asyncDispose](),
      }
    },
  }
}
