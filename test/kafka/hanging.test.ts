import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import type { Notice } from '../../src/contract/transport.ts'
import { millrace } from '../../src/index.ts'
import { describeWithProxiedServer } from '../servers/describe-with-server.ts'
import { signal } from '../signals.ts'
import { dataOf, event, newName, open, receive, spec } from './sessions.ts'

await describeWithProxiedServer('kafka', (server) => {
  test('a broker that hangs does not hold up a stop', { timeout: 60_000 }, async () => {
    const [queue, other, topic] = [newName('queue'), newName('queue'), newName('topic')]
    const url = `${server.url}?partitions=1`
    const app = millrace({ transport: kafkaFromUrl(url), logger: false })
    const { promise: done, resolve: handled } = Promise.withResolvers<void>()
    app.queue(queue, { topics: [topic] }).on('*', () => handled())
    await app.start()
    const transport = kafkaFromUrl(url)
    await transport.declare([spec(other, topic)])
    const session = await open(transport, other)
    await transport.publish([event(topic, 1)])
    const [received] = await receive(session, 1)
    await session.settle([{ of: received!, as: 'ack' }])
    await done
    server.proxy.stall()
    const began = performance.now()
    const took = async (work: Promise<void>): Promise<number> => {
      await work
      return performance.now() - began
    }
    const [stop, close] = await Promise.all([
      took(app.stop({ timeout: 100 })),
      took(session.close().then(() => transport.close())),
    ])
    server.proxy.resume()
    // Each is meant to take two seconds. A request is given up after ten.
    expect(stop).toBeLessThan(5_000)
    expect(close).toBeLessThan(5_000)
  })

  test('what cannot be committed is said by a code', { timeout: 60_000 }, async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await using transport = kafkaFromUrl(`${server.url}?partitions=1`)
    await transport.declare([spec(queue, topic)])
    const session = await open(transport, queue)
    await transport.publish([event(topic, 1)])
    const [received] = await receive(session, 1)
    await session.settle([{ of: received!, as: 'ack' }])
    server.proxy.cut()
    await expect(session.flush?.()).rejects.toMatchObject({
      name: 'MillraceError',
      code: 'CONNECTION_LOST',
      message: expect.stringContaining(queue),
    })
    server.proxy.resume()
    await session.flush?.()
    await session.close()
  })

  test(
    'progress that cannot be committed is said less and less often, and when it can be again',
    { timeout: 60_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      await using transport = kafkaFromUrl(`${server.url}?partitions=1`)
      await transport.declare([spec(queue, topic)])
      const told = { failures: [] as number[], recoveries: 0 }
      const [third, recovered] = [signal(), signal()]
      const notice = ({ message }: Notice): void => {
        if (message.includes('could not be committed')) {
          if (told.failures.push(performance.now()) === 3) third.give()
        } else if (message.includes('committed again')) {
          told.recoveries++
          recovered.give()
        }
      }
      const session = await open(transport, queue, { notice })
      await transport.publish([event(topic, 1)])
      const [received] = await receive(session, 1)
      await session.settle([{ of: received!, as: 'ack' }])
      server.proxy.cut()
      await third.come
      server.proxy.resume()
      await recovered.come
      // Coming back may take longer than the wait before the next complaint, but never a second one in it.
      const waits = told.failures.slice(1).map((at, n) => at - told.failures[n]!)
      expect(waits.length).toBeGreaterThan(1)
      for (const [n, wait] of waits.entries()) expect(wait).toBeGreaterThan(1_000 * 2 ** n - 100)
      expect(told.recoveries).toBe(1)
      await session.close()
    },
  )

  test('progress that cannot be committed at the end is said', { timeout: 60_000 }, async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await using transport = kafkaFromUrl(`${server.url}?partitions=1`)
    await transport.declare([spec(queue, topic)])
    const notices: Notice[] = []
    const session = await open(transport, queue, { notice: (notice) => notices.push(notice) })
    await transport.publish([event(topic, 1)])
    const [received] = await receive(session, 1)
    await session.settle([{ of: received!, as: 'ack' }])
    server.proxy.cut()
    await session.close()
    server.proxy.resume()
    expect(notices).toContainEqual(
      expect.objectContaining({ queue, message: expect.stringContaining('last progress') }),
    )
  })

  test('an exchange that a cut connection has failed claims nothing', { timeout: 60_000 }, async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const transport = kafkaFromUrl(`${server.url}?partitions=1`)
    const made = { topic, pattern: `${topic}.made` }
    await transport.declare([spec(queue, topic, { subscriptions: [made] })])
    const session = await open(transport, queue)
    // Before the third is passed over, the consumer looks whether somebody subscribes to it by now.
    const unwanted = { ...event(topic, 3), type: `${topic}.seen` }
    await transport.publish([event(topic, 1), event(topic, 2), unwanted, event(topic, 4)])
    // With the first, the others are there, too.
    const taken = (await receive(session, 1)).map(dataOf)
    const take = async (): Promise<void> => {
      const { received } = await session.exchange({ settle: [], max: 10 })
      taken.push(...received.map(dataOf))
    }
    server.proxy.cut()
    await expect(take().then(take)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    server.proxy.resume()
    const timeout = AbortSignal.timeout(20_000)
    while (taken.length < 3 && !timeout.aborted) {
      await take()
      await session.ready(timeout)
    }
    await transport.close()
    expect(taken).toEqual([1, 2, 4])
  })
})
