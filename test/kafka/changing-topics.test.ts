import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addFailure } from '../../src/contract/dead-letter.ts'
import type { DeadLetterRecord } from '../../src/contract/dead-letter.ts'
import type { Transport } from '../../src/contract/transport.ts'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { Client } from '../../src/adapters/kafka/connection/client.ts'
import { latest, Reader } from '../../src/adapters/kafka/records/reader.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { dataOf, event, newName, open, receive, spec } from './sessions.ts'

await describeWithServer('kafka', (server) => {
  const url = `${server}?partitions=1`
  const brokers = [server.replace('kafka://', '')]
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers })
  let transport: Transport

  beforeAll(() => {
    transport = kafkaFromUrl(url)
  })
  afterAll(async () => {
    await Promise.all([transport.close(), admin.close()])
  })

  /** What an operator does who empties a topic. Kafka forgets the old one a moment after it has said that it is gone. */
  const replace = async (topic: string): Promise<void> => {
    await admin.deleteTopics({ topics: [topic] })
    await expect.poll(() => admin.listTopics(), { timeout: 10_000 }).not.toContain(topic)
    await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
    await expect.poll(() => admin.listTopics(), { timeout: 10_000 }).toContain(topic)
  }

  test('a topic that is replaced while it is consumed is read from its beginning', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(newName('queue'), topic)])
    await transport.publish([event(topic, 'before'), event(topic, 'before')])
    await transport.declare([spec(queue, topic)])
    const session = await open(transport, queue)
    await transport.publish([event(topic, 'old 0'), event(topic, 'old 1'), event(topic, 'old 2')])
    const old = await receive(session, 3)
    await session.settle([{ of: old[0]!, as: 'ack' }])
    await session.flush?.()
    await replace(topic)
    await using other = kafkaFromUrl(url)
    await other.publish([0, 1, 2, 3, 4, 5].map((n) => event(topic, `new ${n}`)))
    const fresh = await receive(session, 6)
    expect(fresh.map(dataOf)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `new ${n}`))
    expect(await session.settle([{ of: old[1]!, as: 'ack' }])).toEqual(['lost'])
    await session.settle(fresh.slice(0, 5).map((of) => ({ of, as: 'ack' })))
    await session.close()
    const next = await open(other, queue)
    expect((await receive(next, 1)).map(dataOf)).toEqual(['new 5'])
    await next.close()
  }, 40_000)

  test('what was left of a topic is not applied to the one that takes its place', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic, { order: true })])
    await transport.publish([0, 1, 2, 3].map((n) => event(topic, `old ${n}`, { key: `key ${n}` })))
    const session = await open(transport, queue, { order: true })
    const old = await receive(session, 4)
    const trail = addFailure(undefined, 1_000, 'no')
    await session.settle([
      { of: old[0]!, as: 'ack' },
      { of: old[1]!, as: 'retry', delay: 60_000, park: true, trail },
      { of: old[3]!, as: 'ack' },
    ])
    await session.close()
    await replace(topic)
    await using other = kafkaFromUrl(url)
    await other.publish([0, 1, 2, 3].map((n) => event(topic, `new ${n}`)))
    // As a holder does that has not seen yet that its topic was replaced.
    await admin.alterConsumerGroupOffsets({
      groupId: queue,
      topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 2n }] }],
    })
    const counts = (await other.admin.queues()).find(({ name }) => name === queue)
    expect(counts).toMatchObject({ depth: 4 })
    const next = await open(other, queue, { order: true })
    const fresh = await receive(next, 4)
    expect(fresh.map((one) => [dataOf(one), one.attempt])).toEqual([0, 1, 2, 3].map((n) => [`new ${n}`, 1]))
    await next.close()
  }, 40_000)

  test('dead letters of a topic and of the one that takes its place stand side by side', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const error = { name: 'Error', message: 'no' }
    const record: DeadLetterRecord = { error, attempts: 1, firstFailedAt: 1, deadAt: 1, history: [] }
    await transport.declare([spec(queue, topic)])
    for (const data of ['old', 'new']) {
      await using own = kafkaFromUrl(url)
      await own.publish([event(topic, data)])
      const session = await open(own, queue)
      const [received] = await receive(session, 1)
      await session.settle([{ of: received!, as: 'dead', record }])
      await session.close()
      if (data === 'old') await replace(topic)
    }
    const letters = await transport.admin.deadLetters(queue, { limit: 10 })
    expect(letters.map(dataOf)).toEqual(['old', 'new'])
  }, 40_000)

  test('dead letters of a queue that was removed and made again are told from those of before', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const error = { name: 'Error', message: 'no' }
    const record: DeadLetterRecord = { error, attempts: 1, firstFailedAt: 1, deadAt: 1, history: [] }
    const operator = kafkaFromUrl(url)
    const deaths = async (list: readonly string[]): Promise<void> => {
      await transport.declare([spec(queue, topic)])
      const session = await open(transport, queue)
      await transport.publish(list.map((data) => event(topic, data)))
      const received = await receive(session, list.length)
      await session.settle(received.map((of) => ({ of, as: 'dead', record })))
      await session.close()
      const letters = await operator.admin.deadLetters(queue, { limit: 10 })
      expect(letters.map(dataOf)).toEqual(list)
      const counts = (await operator.admin.queues()).find(({ name }) => name === queue)
      expect(counts?.dead).toBe(list.length)
    }
    await deaths(['a', 'b', 'c'])
    await transport.admin.removeQueue(queue)
    await deaths(['d'])
    await operator.close()
  }, 40_000)

  test('partitions that are added are consumed soon, also what they held before', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic)])
    const session = await open(transport, queue)
    const assignments = [1, 2, 3].map(() => ({ brokerIds: [1] }))
    await admin.createPartitions({ topics: [{ name: topic, count: 4, assignments }] })
    await using other = kafkaFromUrl(url)
    await other.publish(Array.from({ length: 40 }, (_, n) => event(topic, n, { key: `key ${n}` })))
    const received = await receive(session, 40)
    expect(received.map(dataOf).toSorted((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 40 }, (_, n) => n),
    )
    expect(new Set(received.map(({ lane }) => lane)).size).toBe(4)
    await session.close()
  }, 40_000)

  test('a publisher follows a topic that grows, and makes anew one that was deleted', async () => {
    const topic = newName('topic')
    await transport.publish([event(topic, 0)])
    const publish = () =>
      transport.publish(Array.from({ length: 40 }, (_, n) => event(topic, n, { key: `key ${n}` })))
    const end = async (partition: number): Promise<bigint | undefined> => {
      const partitions = [{ partitionIndex: partition, timestamp: latest }]
      return (await admin.listOffsets({ topics: [{ name: topic, partitions }] }))[0]?.partitions[0]?.offset
    }
    await admin.createPartitions({ topics: [{ name: topic, count: 2, assignments: [{ brokerIds: [1] }] }] })
    await expect
      .poll(() => publish().then(() => end(1)), { timeout: 20_000, interval: 500 })
      .toBeGreaterThan(0n)
    await admin.deleteTopics({ topics: [topic] })
    await expect
      .poll(
        () =>
          publish().then(
            () => 'taken',
            () => 'refused',
          ),
        { timeout: 30_000, interval: 500 },
      )
      .toBe('taken')
    expect(await end(0)).toBe(40n)
  }, 60_000)

  test('a topic that somebody has deleted keeps nobody from counting, declaring and taking a subscription away', async () => {
    const [queue, topic, gone] = [newName('queue'), newName('topic'), newName('topic')]
    const one = spec(queue, topic, {
      subscriptions: [topic, gone].map((name) => ({ topic: name, pattern: '*' })),
    })
    await transport.declare([one])
    await transport.publish([event(topic, 0), event(gone, 1)])
    const depth = async (): Promise<number | undefined> =>
      (await transport.admin.queues()).find(({ name }) => name === queue)?.depth
    expect(await depth()).toBe(2)
    await admin.deleteTopics({ topics: [gone] })
    await expect.poll(() => admin.listTopics(), { timeout: 10_000 }).not.toContain(gone)
    expect(await depth()).toBe(1)
    expect(await transport.declare([one])).toMatchObject({ created: [] })
    await admin.deleteTopics({ topics: [gone] })
    await expect.poll(() => admin.listTopics(), { timeout: 10_000 }).not.toContain(gone)
    await transport.admin.unbind(queue, [{ topic: gone, pattern: '*' }])
    expect(await depth()).toBe(1)
  }, 60_000)

  test('the places of a topic that brokers do not know yet are waited for, and not for ever', async () => {
    const client = await Client.open({ brokers, clientId: 'test', sasl: undefined, tls: undefined })
    const reader = new Reader(client)
    try {
      const [soon, never] = [newName('topic'), newName('topic')]
      const asked = reader.places([soon], latest)
      await admin.createTopics({ topics: [soon], partitions: 2, replicas: 1 })
      expect((await asked).get(soon)?.offsets).toEqual([0, 0])
      await expect(reader.places([never], latest)).rejects.toMatchObject({ code: 'KAFKA_FAILED' })
    } finally {
      await Promise.all([reader.close(), client.close()])
    }
  }, 40_000)
})
