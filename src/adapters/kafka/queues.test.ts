import { Admin, Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addFailure } from '../../contract/dead-letter.ts'
import type { QueueSpec, Transport } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { millrace, type DeadLetter } from '../../index.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { dataOf, event, newName, open, receive, spec } from '../../../test/kafka/sessions.ts'
import { kafkaFromUrl } from './index.ts'
import { topicsOf } from './queues/queue-topics.ts'

await describeWithServer('kafka', (server) => {
  const url = `${server}?partitions=1`
  const connection = { clientId: 'test', bootstrapBrokers: [server.replace('kafka://', '')] }
  const producer = new Producer(connection)
  const admin = new Admin(connection)
  let transport: Transport

  beforeAll(() => {
    transport = kafkaFromUrl(url)
  })
  afterAll(async () => {
    await Promise.all([transport.close(), producer.close(), admin.close()])
  })

  test('what another system wrote is an event as far as it goes, and else a dead letter that shows why', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const app = millrace({ transport: kafkaFromUrl(url), logger: false })
    const seen: unknown[] = []
    const letters: DeadLetter[] = []
    let wake = (): void => {}
    app.queue(queue, { topics: [topic], retry: { attempts: 1 } }).on('*', (received) => {
      seen.push([received.type, received.key, received.data, received.source])
      wake()
    })
    app.onDeadLetter((letter) => {
      letters.push(letter)
      wake()
    })
    await app.start()
    const bytes = (text: string): Buffer => Buffer.from(text)
    const written = [
      { key: bytes('k'), value: bytes('{"plain":true}') },
      {
        value: bytes('{"named":true}'),
        headers: { ce_type: bytes('foreign.named'), ce_id: bytes('7'), other: bytes('x') },
      },
      { value: bytes('no JSON') },
      { value: bytes('1'), headers: { ce_type: bytes('foreign.late'), ce_time: bytes('yesterday') } },
      { value: Buffer.of(0xff, 0xfe) },
      { key: bytes('deleted') },
    ]
    const headersOf = (headers: Record<string, Buffer> = {}): Map<Buffer, Buffer> =>
      new Map(Object.entries(headers).map(([name, value]) => [bytes(name), value]))
    await producer.send({
      messages: written.map(
        ({ headers, ...message }) => ({ topic, ...message, headers: headersOf(headers) }) as never,
      ),
    })
    while (seen.length < 3 || letters.length < 3) await new Promise<void>((resolve) => (wake = resolve))
    await app.stop()
    expect(seen).toEqual([
      [topic, 'k', { plain: true }, `kafka:${topic}`],
      ['foreign.named', undefined, { named: true }, `kafka:${topic}`],
      [topic, 'deleted', undefined, `kafka:${topic}`],
    ])
    expect(letters.map(({ error }) => error.code)).toEqual([
      'DECODE_FAILED',
      'DECODE_FAILED',
      'DECODE_FAILED',
    ])
    expect(letters.map(({ id }) => id)).toEqual([2, 3, 4].map((offset) => `${topic}/0/${offset}`))
  })

  test('keys of one partition are handled side by side, each in its order', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const app = millrace({ transport: kafkaFromUrl(url), logger: false })
    const running = new Set<string>()
    const order = new Map<string, number[]>()
    let most = 0
    let count = 0
    let done = (): void => {}
    const all = new Promise<void>((resolve) => (done = resolve))
    app
      .queue(queue, { topics: [topic], order: { by: 'key' }, concurrency: 8 })
      .on('*', async ({ key = '', data }) => {
        expect(running.has(key), `two events of ${key} at once`).toBe(false)
        running.add(key)
        most = Math.max(most, running.size)
        await new Promise((resolve) => setTimeout(resolve, 2))
        running.delete(key)
        order.set(key, [...(order.get(key) ?? []), data as number])
        if (++count === 200) done()
      })
    await app.start()
    await app.publish(
      Array.from({ length: 200 }, (_, n) => createEvent(`${topic}.made`, n, { topic, key: `key ${n % 10}` })),
    )
    await all
    await app.stop()
    expect(most).toBe(8)
    for (const list of order.values()) expect(list).toEqual(list.toSorted((a, b) => a - b))
  })

  test('a place that lies before the beginning of its topic is an error, never a jump', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic)])
    await transport.publish([event(topic, 1), event(topic, 2), event(topic, 3)])
    const session = await open(transport, queue)
    const [first] = await receive(session, 1)
    await session.settle([{ of: first!, as: 'ack' }])
    await session.close()
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 2n }] }] })
    await expect(open(transport, queue)).rejects.toMatchObject({
      code: 'EVENTS_EXPIRED',
      message: expect.stringContaining(`offset 1 of '${topic}' partition 0, which now begins at 2`),
    })
    await admin.alterConsumerGroupOffsets({
      groupId: queue,
      topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 2n }] }],
    })
    const after = await open(transport, queue)
    expect((await receive(after, 1)).map(dataOf)).toEqual([3])
    await after.close()
  })

  test('offsets that the broker has forgotten are known all the same', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic)])
    await transport.publish([event(topic, 1), event(topic, 2)])
    const session = await open(transport, queue)
    const [first] = await receive(session, 1)
    await session.settle([{ of: first!, as: 'ack' }])
    await session.close()
    // What `offsets.retention.minutes` does to a group without members after a week.
    await admin.deleteGroups({ groups: [queue] })
    const after = await open(transport, queue)
    expect((await receive(after, 1)).map(dataOf)).toEqual([2])
    await after.close()
  })

  test('failures and what is settled out of order are known to the next process', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic, { order: true })])
    await transport.publish([0, 1, 2, 3].map((n) => event(topic, n, { key: n === 2 ? 'a' : `key ${n}` })))
    const session = await open(transport, queue, { order: true })
    const received = await receive(session, 4)
    const trail = addFailure(undefined, 1_000, 'no')
    await session.settle([
      { of: received[1]!, as: 'ack' },
      { of: received[2]!, as: 'retry', delay: 200, park: true, trail },
      { of: received[3]!, as: 'ack' },
    ])
    await session.close()
    await using other = kafkaFromUrl(url)
    await other.publish([event(topic, 4, { key: 'a' })])
    const next = await open(other, queue, { order: true })
    const again = await receive(next, 3)
    expect(again.map((one) => [dataOf(one), one.attempt])).toEqual([
      [0, 1],
      [2, 2],
      [4, 1],
    ])
    expect(again[1]?.trail).toEqual(trail)
    await next.close()
  })

  test('a lease that is kept at a close runs out before anybody else gets the event', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic, { order: true })])
    await transport.publish([0, 1, 2].map((n) => event(topic, n, { key: n === 1 ? 'b' : 'a' })))
    const session = await open(transport, queue, { order: true, lease: 1_500 })
    const [zero] = await receive(session, 2)
    const closed = Date.now()
    await session.close({ keep: [zero!] })
    const next = await open(transport, queue, { order: true })
    expect((await receive(next, 1)).map(dataOf)).toEqual([1])
    expect(Date.now() - closed).toBeLessThan(1_400)
    expect((await receive(next, 2)).map((one) => [dataOf(one), one.attempt])).toEqual([
      [0, 1],
      [2, 1],
    ])
    expect(Date.now() - closed).toBeGreaterThanOrEqual(1_400)
    await next.close()
  })

  test(
    'a long delay goes through the topics for that, and an event keeps everything on its way',
    { timeout: 40_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      await transport.declare([spec(queue, topic)])
      const session = await open(transport, queue)
      const sent = event(
        topic,
        { a: 1 },
        { key: 'k', subject: 's', extensions: { tenant: 'acme', weight: 1.5 } },
      )
      await transport.publish([sent])
      const [first] = await receive(session, 1)
      const trail = addFailure(undefined, 1_000, 'no')
      const start = Date.now()
      await session.settle([{ of: first!, as: 'retry', delay: 11_000, trail }])
      const [tier] = topicsOf(queue).tiers.filter(({ ms }) => ms === 10_000)
      const [listed] = await admin.listOffsets({
        topics: [{ name: tier!.topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
      })
      expect(listed?.partitions[0]?.offset).toBe(1n)
      const [again] = await receive(session, 1)
      expect(Date.now() - start).toBeGreaterThanOrEqual(11_000)
      expect(Date.now() - start).toBeLessThan(11_500)
      expect(again).toMatchObject({
        id: sent.id,
        type: sent.type,
        key: 'k',
        attempt: 2,
        trail,
        data: '{"a":1}',
      })
      expect(again?.head).toMatchObject({ topic, subject: 's', extensions: { tenant: 'acme', weight: 1.5 } })
      await session.settle([{ of: again!, as: 'ack' }])
      await session.close()
    },
  )

  test('a queue that is declared for more types while others consume gets all of them', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    const only = (type: string): QueueSpec =>
      spec(queue, topic, { subscriptions: [{ topic, pattern: type }] })
    await transport.declare([only(`${topic}.old`)])
    const session = await open(transport, queue)
    await transport.publish([encodeEvent(createEvent(`${topic}.new`, 0, { topic }))])
    expect((await session.exchange({ settle: [], max: 1 })).received).toEqual([])
    await using other = kafkaFromUrl(url)
    await other.declare([only(`${topic}.new`)])
    await other.publish([encodeEvent(createEvent(`${topic}.new`, 1, { topic }))])
    expect((await receive(session, 1)).map(dataOf)).toEqual([1])
    await session.close()
  })
})
