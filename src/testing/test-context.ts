import { systemClock } from '../clock/clock.ts'
import type { MillraceEvent } from '../event/event.ts'
import { travelled } from '../event/outgoing.ts'
import { EventPublisher } from '../publish/publisher.ts'
import type { Context } from '../receive/typed.ts'

/** A context that remembers what was published through it. */
export interface TestContext extends Context {
  /** What was published, in order, with its data as it would have travelled. */
  readonly published: readonly MillraceEvent[]
}

/**
 * A context for calling a handler directly: attempt 1 of the queue `test`, a signal that nobody aborts, and a `publish` that
 * keeps what it is given. `over` takes the place of any of it, and adds what middlewares would have added.
 * @example
 * const ctx = testContext({ db })
 * await onPlaced(createEvent('order.placed', { orderId: '7' }), ctx)
 * expect(ctx.published).toHaveLength(1)
 */
export function testContext<A extends object = {}>(over?: A & Partial<Context>): TestContext & A {
  const published: MillraceEvent[] = []
  const bridge = {
    publish: async () => undefined,
    drain: async () => undefined,
    close: async () => undefined,
  }
  const publisher = new EventPublisher({ transport: undefined, bridge, clock: systemClock })
  publisher.watch((events) => void published.push(...events.map(travelled)))
  const base: TestContext = {
    queue: 'test',
    attempt: 1,
    signal: new AbortController().signal,
    publish: publisher.publish as Context['publish'],
    extend: async () => undefined,
    published,
  }
  return Object.assign(base, over) as TestContext & A
}
