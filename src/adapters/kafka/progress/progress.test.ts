import { Producer } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { addFailure } from '../../../contract/dead-letter.ts'
import { describeWithServer } from '../../../../test/servers/describe-with-server.ts'
import {
  dataOf,
  event,
  newName,
  open,
  readCompacted,
  receive,
  spec,
} from '../../../../test/kafka/sessions.ts'
import { kafkaFromUrl } from '../index.ts'
import { topicsOf } from '../queues/queue-topics.ts'

await describeWithServer('kafka', (url) => {
  test(
    'however many events wait with their failures, whoever comes next knows them',
    { timeout: 60_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      const count = 2_000
      await using transport = kafkaFromUrl(`${url}?partitions=1`)
      await transport.declare([spec(queue, topic, { order: true })])
      await transport.publish(Array.from({ length: count }, (_, n) => event(topic, n, { key: `key ${n}` })))
      const first = await open(transport, queue, { order: true })
      const trail = addFailure(addFailure(undefined, 1_000, 'x'.repeat(500)), 2_000, 'y'.repeat(500))
      await first.settle(
        (await receive(first, count)).map((of, n) => {
          if (n % 10 === 9) return { of, as: 'ack' }
          return { of, as: 'retry', delay: n === 0 ? 1 : 600_000, park: true, trail }
        }),
      )
      await first.close()
      const second = await open(transport, queue, { order: true })
      await transport.publish([event(topic, 'new', { key: 'new' })])
      const received = await receive(second, 2)
      expect(received.map((one) => [dataOf(one), one.attempt, one.trail])).toEqual([
        [0, 2, trail],
        ['new', 1, undefined],
      ])
      await second.close()
    },
  )

  test('what is over leaves nothing behind but how far the queue has come', { timeout: 30_000 }, async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const { progress } = topicsOf(queue)
    await using transport = kafkaFromUrl(`${url}?partitions=1`)
    await transport.declare([spec(queue, topic, { order: true })])
    const producer = new Producer({ clientId: 'test', bootstrapBrokers: [new URL(url).host] })
    const left = { at: Date.now() - 100_000, handledPerSecond: 1, failedPerSecond: 1 }
    await producer.send({
      messages: [
        { topic: progress, key: Buffer.from('rates of-the-dead'), value: Buffer.from(JSON.stringify(left)) },
      ],
    })
    await producer.close()
    await transport.publish(Array.from({ length: 300 }, (_, n) => event(topic, n, { key: `key ${n}` })))
    const session = await open(transport, queue, { order: true })
    const trail = addFailure(undefined, 1_000, 'no')
    await session.settle(
      (await receive(session, 300)).map((of) => ({ of, as: 'retry', delay: 1, park: true, trail })),
    )
    await session.flush?.()
    expect([...(await readCompacted(url, progress))].toSorted()).toEqual([
      expect.stringMatching(/^rates (?!of-the-dead)/),
      `${topic}:0`,
      `${topic}:0 0`,
      `${topic}:0 1`,
      `${topic}:0 2`,
    ])
    await session.settle((await receive(session, 300)).map((of) => ({ of, as: 'ack' })))
    await session.close()
    expect([...(await readCompacted(url, progress))]).toEqual([`${topic}:0`])
  })
})
