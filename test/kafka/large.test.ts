import { Admin, Producer } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { topicsOf } from '../../src/adapters/kafka/queues/queue-topics.ts'
import type { DeadLetterRecord } from '../../src/contract/dead-letter.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, newName, open, receive, spec } from './sessions.ts'

await describeWithServer('kafka', (server) => {
  test(
    'an event of others that is larger than brokers usually take is retried, delayed, dies and is redriven',
    { timeout: 60_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      const connection = { clientId: 'test', bootstrapBrokers: [new URL(server).host] }
      const [admin, producer] = [new Admin(connection), new Producer(connection)]
      await using transport = kafkaFromUrl(`${server}?partitions=1`)
      const configs = [{ name: 'max.message.bytes', value: String(10 * 1024 * 1024) }]
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1, configs })
      await transport.declare([spec(queue, topic)])
      const write = (data: Buffer, headers = new Map<Buffer, Buffer>()) =>
        producer.send({ messages: [{ topic, value: data, headers, key: Buffer.from('k'), partition: 0 }] })
      const [small, large] = [3 * 1024 * 1024, 6 * 1024 * 1024].map((size) => Buffer.alloc(size, 'x'))
      await write(large!)
      await write(small!)
      await transport.publish([event(topic, 1)])
      const session = await open(transport, queue)
      const received = await receive(session, 3)
      // What stands behind them in a batch is moved, too.
      expect(await session.settle(received.map((of) => ({ of, as: 'retry' })))).toEqual(undefined)
      const again = await receive(session, 3)
      expect(again.map(({ attempt, size }) => [attempt, size! > 3_000_000])).toEqual([
        [2, true],
        [2, true],
        [2, false],
      ])
      const error = { name: 'Error', message: 'no' }
      const record: DeadLetterRecord = { error, attempts: 1, firstFailedAt: 1, deadAt: 1, history: [] }
      expect(await session.settle(again.map((of) => ({ of, as: 'dead', record })))).toEqual(undefined)
      const letters = await transport.admin.deadLetters(queue, { limit: 10 })
      expect(letters.map(({ data }) => data.length)).toEqual([large!.length, small!.length, 1])
      await transport.admin.redrive(queue, undefined)
      const third = await receive(session, 3)
      expect(third.map(({ attempt, data }) => [attempt, data.length])).toEqual([
        [1, large!.length],
        [1, small!.length],
        [1, 1],
      ])
      const due = new Date(Date.now() + 3_600_000).toISOString()
      await write(large!, new Map([[Buffer.from('ce_deliverat'), Buffer.from(due)]]))
      const { topic: tier } = topicsOf(queue).tiers.find(({ ms }) => ms === 600_000)!
      const moved = async (): Promise<unknown> => {
        await session.exchange({ settle: [], max: 1 })
        const partitions = [{ partitionIndex: 0, timestamp: -1n }]
        return (await admin.listOffsets({ topics: [{ name: tier, partitions }] }))[0]?.partitions[0]?.offset
      }
      await expect.poll(moved, { timeout: 20_000 }).toBe(1n)
      await session.close()
      await Promise.all([admin.close(), producer.close()])
    },
  )
})
