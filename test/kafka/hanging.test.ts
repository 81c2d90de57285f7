import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { millrace } from '../../src/index.ts'
import { describeWithProxiedServer } from '../servers/describe-with-server.ts'
import { newName, numbered, startConsumer } from './consumers.ts'

await describeWithProxiedServer('kafka', (server) => {
  test('a broker that hangs does not hold up a stop', { timeout: 60_000 }, async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const url = `${server.url}?partitions=1`
    const transport = kafkaFromUrl(url)
    const spec = { name: queue, subscriptions: [{ topic, pattern: '*' }], from: 'now', order: false } as const
    await transport.declare([spec])
    const process = startConsumer(url, queue, topic, 0)
    await process.ready
    const app = millrace({ transport: kafkaFromUrl(url), logger: false })
    const other = newName('queue')
    let handled!: () => void
    const done = new Promise<void>((resolve) => (handled = resolve))
    app.queue(other, { topics: [topic] }).on('*', () => handled())
    await app.start()
    const alone = newName('queue')
    await transport.declare([{ ...spec, name: alone }])
    const session = await transport.open(alone, {
      lease: 30_000,
      order: false,
      clock: systemClock,
      notice: () => {},
      onRevoke: () => {},
      onLost: () => {},
    })
    await transport.publish(numbered(topic, 1))
    await Promise.all([process.until(1), done, session.ready(AbortSignal.timeout(20_000))])
    const { received } = await session.exchange({ settle: [], max: 1 })
    await session.settle(received.map((of) => ({ of, as: 'ack' })))
    server.proxy.stall()
    try {
      const began = performance.now()
      const took = async (work: Promise<void>): Promise<number> => {
        await work
        return performance.now() - began
      }
      const [stop, close, exit] = await Promise.all([
        took(app.stop({ timeout: 100 })),
        took(session.close().then(() => transport.close())),
        took(process.kill('SIGTERM')),
      ])
      // Each is meant to take two seconds, the process ten more for its handlers. A request would be given up after ten.
      expect(stop).toBeLessThan(5_000)
      expect(close).toBeLessThan(5_000)
      expect(exit).toBeLessThan(18_000)
    } finally {
      server.proxy.resume()
    }
  })
})
