import { Admin } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import type { Received, Session } from '../../src/contract/transport.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { dataOf, event, newName, open, receive, spec } from './sessions.ts'

/** Takes whatever comes, until the signal or an error. */
async function pump(session: Session, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await session.exchange({ settle: [], max: 10 })
    await session.ready(signal)
  }
}

await describeWithServer('kafka', (server) => {
  test(
    'a queue that is removed while its consumer is away is unknown to it, and free for whoever makes it anew',
    { timeout: 60_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      const url = `${server}?partitions=4`
      await using consuming = kafkaFromUrl(url)
      await using operator = kafkaFromUrl(url)
      const admin = new Admin({ clientId: 'test', bootstrapBrokers: [new URL(server).host] })
      const numbers = Array.from({ length: 40 }, (_, n) => n)
      const publish = (): Promise<void> =>
        operator.publish(numbers.map((n) => event(topic, n, { key: `key ${n}` })))
      await consuming.declare([spec(queue, topic)])
      const lost: Received[] = []
      const session = await open(consuming, queue, { onLost: (list) => lost.push(...list) })
      await publish()
      const [held] = await receive(session, 1)
      // As Kafka does with one that it has not heard of for the length of a session. This one comes back within a second.
      const removed = new AbortController()
      const keepAway = async (): Promise<void> => {
        while (!removed.signal.aborted)
          // Refused while it is just coming back, or when the group is gone.
          await admin.removeMembersFromConsumerGroup({ groupId: queue }).catch(() => {})
      }
      const remove = (): Promise<string> =>
        operator.admin.removeQueue(queue).then(
          () => 'removed',
          (error: unknown) => String(error),
        )
      const kept = keepAway()
      try {
        await expect.poll(remove, { timeout: 20_000, interval: 10 }).toBe('removed')
      } finally {
        removed.abort()
      }
      await kept
      await expect(pump(session, AbortSignal.timeout(20_000))).rejects.toMatchObject({
        code: 'UNKNOWN_QUEUE',
      })
      await expect.poll(() => lost).toContain(held)
      expect(await session.settle([{ of: held!, as: 'retry' }])).toEqual(['gone'])
      await operator.declare([spec(queue, topic)])
      const next = await open(operator, queue)
      await publish()
      const again = (await receive(next, 40)).map(dataOf)
      expect(again.toSorted((a, b) => Number(a) - Number(b))).toEqual(numbers)
      await expect(pump(session, AbortSignal.timeout(5_000))).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' })
      await admin.close()
    },
  )
})
