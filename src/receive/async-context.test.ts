import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { faultyTransport } from '../../test/faulty-transport.ts'
import { signal, turns } from '../../test/signals.ts'
import { systemClock } from '../clock/clock.ts'
import { createEvent } from '../event/event.ts'
import { EventPublisher } from '../publish/publisher.ts'
import { Reporter } from '../report/reporter.ts'
import { compose, type Context, type Handler, type Middleware } from './chain.ts'
import { EventReceiver } from './receiver.ts'

/** What tracing stands on. */
const storage = new AsyncLocalStorage<string>()
const inside =
  (name: string): Middleware =>
  (_event, _ctx, next) =>
    storage.run(name, () => next())

const handlers: readonly [string, Handler][] = [
  ['at once', () => undefined],
  ['in its turn', async () => undefined],
  ['later', () => turns(1)],
]

test.each(handlers)('what follows next() has the context it was written in: %s', async (_when, handler) => {
  const seen: unknown[] = []
  const outer: Middleware = (_event, _ctx, next) => next().then(() => seen.push(storage.getStore()))
  const awaiting: Middleware = async (_event, _ctx, next) => {
    await storage.run('awaited', () => next())
    seen.push(storage.getStore())
  }
  const chain = compose([outer, awaiting, inside('b'), inside('c')], handler)
  await storage.run('a', async () => chain(createEvent('x.y', 1), {} as Context))
  expect(seen).toEqual(['a', 'a'])
})

test.each(handlers)(
  'no event runs in the context of one before it, nor do the calls of the transport: %s',
  async (_when, handler) => {
    const seen: unknown[] = []
    const look = (): void => void seen.push(storage.getStore())
    const real = faultyTransport({}, { exchange: (exchange, request) => (look(), exchange(request)) })
    const transport = async (): Promise<typeof real> => real
    const publisher = new EventPublisher({ transport, clock: systemClock })
    const receiver = new EventReceiver({
      transport,
      publisher,
      catalog: undefined,
      clock: systemClock,
      reporter: new Reporter(undefined),
    })
    const all = signal()
    let left = 1_000
    receiver
      .queue('a', { concurrency: 4 })
      .use((_event, _ctx, next) => (look(), next()))
      .use(inside('event'))
      .on('x.y', (event, ctx) => {
        if (--left === 0) all.give()
        return handler(event, ctx)
      })
    await receiver.start()
    await publisher.publish(Array.from({ length: left }, () => createEvent('x.y', 1)))
    await all.come
    await receiver.stop({ timeout: 0 })
    expect(seen.length).toBeGreaterThan(1_000)
    expect(new Set(seen)).toEqual(new Set([undefined]))
  },
)
