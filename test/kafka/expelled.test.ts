import { Admin } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import type { Notice } from '../../src/contract/transport.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { signal } from '../signals.ts'
import { dataOf, event, newName, open, receive, spec } from './sessions.ts'

await describeWithServer('kafka', (server) => {
  /** As the broker does with a member whose session times out. */
  const expelAll = async (groupId: string): Promise<void> => {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [new URL(server).host] })
    try {
      await admin.removeMembersFromConsumerGroup({ groupId })
    } finally {
      await admin.close()
    }
  }

  test(
    'what was settled, and not committed when the group gave the process up, comes again, and that is said',
    { timeout: 60_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      await using transport = kafkaFromUrl(`${server}?partitions=1`)
      await transport.declare([spec(queue, topic)])
      const lost: Notice[] = []
      const told = signal()
      const notice = (one: Notice): void => {
        if (one.code === 'LEASE_LOST') told.give(void lost.push(one))
      }
      const session = await open(transport, queue, { notice })
      await transport.publish([event(topic, 1), event(topic, 2), event(topic, 3)])
      const [first, second, third] = await receive(session, 3)
      await session.settle([{ of: first!, as: 'ack' }])
      await session.flush?.()
      await expelAll(queue)
      await session.settle([second!, third!].map((of) => ({ of, as: 'ack' })))
      const again = await receive(session, 2)
      await told.come
      expect(again.map(dataOf)).toEqual([2, 3])
      expect(lost).toMatchObject([
        { queue, message: expect.stringContaining(`${topic}:0 was lost`) as string },
      ])
      expect(lost[0]?.message).toContain('2 events that were settled come again')
      await session.settle(again.map((of) => ({ of, as: 'ack' })))
      await session.close()
      expect(lost).toHaveLength(1)
    },
  )
})
