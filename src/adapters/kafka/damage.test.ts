import { Admin, Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { addFailure } from '../../contract/dead-letter.ts'
import type { Notice, Transport } from '../../contract/transport.ts'
import { describeWithPrivateServer, describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { dataOf, event, newName, open, receive, spec } from '../../../test/kafka/sessions.ts'
import { kafkaFromUrl } from './index.ts'
import { registryTopic } from './queues/topics.ts'
import { topicsOf } from './queues/queue-topics.ts'

type Write = (topic: string, key: string, value: string, headers?: Record<string, string>) => Promise<unknown>

const bytesOf = (text: string): Buffer => Buffer.from(text)

/** Writes records as nobody of us would. */
function writerTo(producer: Producer): Write {
  return (topic, key, value, headers = {}) =>
    producer.send({
      messages: [
        {
          topic,
          key: bytesOf(key),
          value: bytesOf(value),
          partition: 0,
          headers: new Map(Object.entries(headers).map(([name, text]) => [bytesOf(name), bytesOf(text)])),
        },
      ],
    })
}

await describeWithServer('kafka', (server) => {
  const url = `${server}?partitions=1`
  const connection = { clientId: 'test', bootstrapBrokers: [server.replace('kafka://', '')] }
  const producer = new Producer(connection)
  const admin = new Admin(connection)
  let transport: Transport

  const write = writerTo(producer)

  beforeAll(() => {
    transport = kafkaFromUrl(url)
  })
  afterAll(async () => {
    await Promise.all([transport.close(), producer.close(), admin.close()])
  })

  test('strange records of progress and rates are none', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic)])
    await transport.publish([event(topic, 1)])
    const { progress } = topicsOf(queue)
    await write(progress, `${topic}:0`, '{"watermark":0,"settled":[7],"waiting":{}}')
    await write(progress, 'rates strange', '{"at":"now"}')
    await write(progress, 'rates none', 'x')
    const counts = (await transport.admin.queues()).find(({ name }) => name === queue)
    expect(counts).toMatchObject({ depth: 1, handledPerSecond: 0, failedPerSecond: 0 })
    const session = await open(transport, queue)
    expect((await receive(session, 1)).map(dataOf)).toEqual([1])
    await session.close()
  })

  test('what was settled out of order stays settled when the next process stops before it gets there', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic, { order: true })])
    await transport.publish(Array.from({ length: 20 }, (_, n) => event(topic, n, { key: `key ${n}` })))
    const first = await open(transport, queue, { order: true })
    const received = await receive(first, 20)
    const trail = addFailure(undefined, 1_000, 'no')
    await first.settle(
      received.map((of, n) =>
        n < 2 ? { of, as: 'retry', delay: n === 0 ? 600_000 : 3_000, park: true, trail } : { of, as: 'ack' },
      ),
    )
    await first.close()
    // This one sees nothing of the lane but what is written down of it.
    const second = await open(transport, queue, { order: true })
    await transport.publish([event(topic, 'new', { key: 'new' })])
    const [fresh] = await receive(second, 1)
    expect(dataOf(fresh!)).toBe('new')
    await second.settle([{ of: fresh!, as: 'ack' }])
    await second.close()
    const third = await open(transport, queue, { order: true })
    await transport.publish([event(topic, 'newer', { key: 'newer' })])
    const again = [...(await receive(third, 1)), ...(await receive(third, 1))]
    expect(again.map((one) => [dataOf(one), one.attempt])).toEqual([
      ['newer', 1],
      [1, 2],
    ])
    expect(again[1]?.trail).toEqual(trail)
    await third.close()
  })

  test('what a stop finds on its way to another topic arrives there once', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const count = 3_000
    await transport.declare([spec(queue, topic)])
    const deliverAt = new Date(Date.now() + 3_600_000)
    await transport.publish(Array.from({ length: count }, (_, n) => event(topic, n, { deliverAt })))
    await transport.publish([event(topic, 'behind them')])
    const first = await open(transport, queue)
    expect((await receive(first, 1)).map(dataOf)).toEqual(['behind them'])
    // Now all of them are to be moved, and the first are under way.
    await first.close()
    const second = await open(transport, queue)
    expect((await receive(second, 1)).map(dataOf)).toEqual(['behind them'])
    await second.close()
    const third = await open(transport, queue)
    const [behind] = await receive(third, 1)
    await third.settle([{ of: behind!, as: 'ack' }])
    const places = { groupId: queue, topics: [{ name: topic, partitionIndexes: [0] }] }
    const committed = async (): Promise<unknown> => {
      await third.flush?.()
      const [group] = await admin.listConsumerGroupOffsets({ groups: [places] })
      return group?.topics[0]?.partitions[0]?.committedOffset
    }
    await expect.poll(committed, { timeout: 20_000, interval: 100 }).toBe(BigInt(count + 1))
    const [tier] = topicsOf(queue).tiers.filter(({ ms }) => ms === 600_000)
    const [moved] = await admin.listOffsets({
      topics: [{ name: tier!.topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    })
    expect(moved?.partitions[0]?.offset).toBe(BigInt(count))
    await third.close()
  })

  test(
    'a topic that somebody deletes does not stop the others, and is said',
    { timeout: 40_000 },
    async () => {
      const [queue, first, second] = [newName('queue'), newName('topic'), newName('topic')]
      const subscriptions = [first, second].map((topic) => ({ topic, pattern: '*' }))
      await transport.declare([spec(queue, first, { subscriptions })])
      const notices: Notice[] = []
      let told = (): void => {}
      const gone = new Promise<void>((resolve) => (told = resolve))
      const session = await open(transport, queue, {
        notice: (notice) => {
          if (notice.code !== 'TOPIC_GONE') return
          notices.push(notice)
          told()
        },
      })
      await transport.publish([event(first, 1)])
      const [one] = await receive(session, 1)
      await session.settle([{ of: one!, as: 'ack' }])
      await admin.deleteTopics({ topics: [first] })
      await gone
      await transport.publish([event(second, 2)])
      expect((await receive(session, 1)).map(dataOf)).toEqual([2])
      expect(notices).toMatchObject([{ queue, message: expect.stringContaining(first) }])
      await session.close()
    },
  )

  test('a damaged trail is none, and a damaged record says that it is', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic)])
    const headers = { ce_id: '1', ce_type: 'a.b', ce_source: 's' }
    await write(topicsOf(queue).dead, 'a', '1', { ...headers, mr_record: '{"error":' })
    const [letter] = await transport.admin.deadLetters(queue, { limit: 10 })
    expect(letter?.record).toMatchObject({
      error: { code: 'DECODE_FAILED', message: expect.stringContaining('damaged') },
      history: [],
    })
    await write(topicsOf(queue).retry, 'a', '2', { ...headers, mr_trail: '[', mr_attempt: 'x', mr_due: 'y' })
    const session = await open(transport, queue)
    const [again] = await receive(session, 1)
    expect(again).toMatchObject({ data: '2', attempt: 1, trail: undefined })
    const strange = ['-3', '0', '1.5', 'Infinity', '9007199254740992', '3']
    for (const attempt of strange)
      await write(topicsOf(queue).retry, 'a', attempt, { ...headers, mr_attempt: attempt })
    const others = await receive(session, strange.length)
    expect(others.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 3])
    await session.close()
  })
})

// What is written among the queues stays there, and is said by every transport that comes later.
await describeWithPrivateServer('kafka', (server) => {
  const url = `${server.url}?partitions=1`
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [new URL(server.url).host] })
  const write = writerTo(producer)
  let transport: Transport

  beforeAll(() => {
    transport = kafkaFromUrl(url)
  })
  afterAll(async () => {
    await Promise.all([transport.close(), producer.close()])
  })

  test('strange records among the queues are passed over, and said once', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic)])
    await write(registryTopic, 'hello', 'world')
    await write(registryTopic, JSON.stringify([queue]), '[]')
    await write(registryTopic, JSON.stringify([queue, topic, '*']), '{"start":3}')
    await write(registryTopic, JSON.stringify({ name: queue }), '{"order":true}')
    await using other = kafkaFromUrl(url)
    await other.publish([event(topic, 1)])
    const notices: Notice[] = []
    for (let round = 0; round < 2; round++) {
      const session = await open(other, queue, { notice: (notice) => notices.push(notice) })
      expect((await receive(session, 1)).map(dataOf)).toEqual([1])
      await session.close()
    }
    expect(notices.filter(({ code }) => code === 'REGISTRY_DAMAGED')).toHaveLength(1)
  })

  test('strange records among the queues are said to whoever only declares or looks', async () => {
    const queue = newName('queue')
    await transport.declare([spec(queue, newName('topic'))])
    await write(registryTopic, 'hello', 'world')
    const warnings: Error[] = []
    const listen = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    await using looking = kafkaFromUrl(url)
    await looking.admin.deadLetters(queue, { limit: 1 })
    await looking.admin.deadLetters(queue, { limit: 1 })
    await using declaring = kafkaFromUrl(url)
    await declaring.declare([spec(queue, newName('topic'))])
    await new Promise<void>((resolve) => setImmediate(resolve))
    const said = { name: 'MillraceWarning', code: 'REGISTRY_DAMAGED' }
    expect(warnings).toMatchObject([said, said])
  })

  test(
    'a consumer whose join fails goes on trying until it is a member again',
    { timeout: 90_000 },
    async () => {
      const [queue, first, second] = [newName('queue'), newName('topic'), newName('topic')]
      await using consuming = kafkaFromUrl(url)
      await consuming.declare([spec(queue, first)])
      const notices: Notice[] = []
      let told = (): void => {}
      const failed = new Promise<void>((resolve) => (told = resolve))
      let stopped: Promise<void> | undefined
      const session = await open(consuming, queue, {
        // The group is about to be joined anew, for the topic that has come.
        onRevoke: () => (stopped ??= server.stop('SIGKILL')),
        notice: (notice) => {
          notices.push(notice)
          if (notice.message.includes('could not be joined again')) told()
        },
      })
      const subscriptions = [first, second].map((topic) => ({ topic, pattern: '*' }))
      await consuming.declare([spec(queue, first, { subscriptions })])
      await failed
      await stopped
      await server.start()
      await using other = kafkaFromUrl(url)
      await other.publish([event(first, 1), event(second, 2)])
      expect((await receive(session, 2)).map(dataOf).toSorted()).toEqual([1, 2])
      expect(notices.filter(({ message }) => message.includes('could not be joined again'))).toHaveLength(1)
      await session.close()
    },
  )
})
