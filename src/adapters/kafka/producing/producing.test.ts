import { Admin } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import {
  describeWithProxiedServer,
  describeWithServer,
} from '../../../../test/servers/describe-with-server.ts'
import { dataOf, event, newName, open, receive, spec } from '../../../../test/kafka/sessions.ts'
import { kafkaFromUrl } from '../index.ts'

await describeWithProxiedServer('kafka', ({ url, proxy }) => {
  test(
    'what was taken while the connection broke is there, whatever became of others',
    { timeout: 60_000 },
    async () => {
      const [queue, one, other] = [newName('queue'), newName('topic'), newName('topic')]
      await using transport = kafkaFromUrl(`${url}?partitions=1`)
      await transport.declare([spec(queue, one), spec(newName('queue'), other)])
      // The producer's first sequence number of this partition, in a batch as large as the one that comes below.
      await transport.publish([event(one, 'first')])
      proxy.cut()
      const made = proxy.connections
      const lost = transport.publish([event(one, 'lost')])
      lost.catch(() => {})
      await expect.poll(() => proxy.connections - made, { timeout: 20_000, interval: 10 }).toBeGreaterThan(2)
      // Of the other topic it has to look up who leads it: it is under way while the one before it gives up.
      const taken = transport.publish([event(one, 'second'), event(other, 'third')])
      await expect(lost).rejects.toMatchObject({ results: ['unknown'], retryable: true })
      proxy.resume()
      await taken
      await transport.publish([event(one, 'last')])
      const session = await open(transport, queue)
      expect((await receive(session, 2)).map(dataOf)).toEqual(['first', 'second'])
      await session.close()
    },
  )
})

await describeWithServer('kafka', (url) => {
  test(
    'a topic that is gone fails whom it concerns, and is there again for the next',
    { timeout: 60_000 },
    async () => {
      const [queue, gone, there] = [newName('queue'), newName('topic'), newName('topic')]
      await using transport = kafkaFromUrl(`${url}?partitions=1`)
      await transport.declare([spec(newName('queue'), gone), spec(queue, there)])
      const admin = new Admin({ clientId: 'test', bootstrapBrokers: [new URL(url).host] })
      await admin.deleteTopics({ topics: [gone] })
      // The controller has done it; the broker that takes events learns it a moment later.
      await expect.poll(() => admin.listTopics()).not.toContain(gone)
      await admin.close()
      // The three of them meet while the first is under way.
      const [, refused] = await Promise.allSettled([
        transport.publish([event(there, 1)]),
        transport.publish([event(gone, 'lost')]),
        transport.publish([event(there, 2)]),
      ])
      expect(refused).toMatchObject({ status: 'rejected', reason: { results: ['rejected'] } })
      await transport.publish([event(gone, 'kept')])
      const session = await open(transport, queue)
      expect((await receive(session, 2)).map(dataOf)).toEqual([1, 2])
      await session.close()
    },
  )
})
