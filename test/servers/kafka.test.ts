import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { describeWithPrivateServer, describeWithServer } from './describe-with-server.ts'
import { serverFor } from './servers.ts'

const clientOptions = (url: string) => ({ clientId: 'test', bootstrapBrokers: [new URL(url).host] })

async function createTopic(url: string, topic: string): Promise<void> {
  const admin = new Admin(clientOptions(url))
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
  await admin.close()
}

async function topicsOf(url: string): Promise<readonly string[]> {
  const admin = new Admin({ ...clientOptions(url), retries: 0 })
  try {
    return await admin.listTopics()
  } finally {
    await admin.close()
  }
}

async function produce(url: string, topic: string, ...values: readonly string[]): Promise<void> {
  const producer = new Producer({ ...clientOptions(url), serializers: stringSerializers })
  await producer.send({ messages: values.map((value) => ({ topic, value })), acks: -1 })
  await producer.close()
}

/** The first `count` values of a topic, as a new group reads them. */
async function consume(url: string, topic: string, count: number): Promise<readonly string[]> {
  const consumer = new Consumer({
    ...clientOptions(url),
    groupId: `${topic}-${crypto.randomUUID()}`,
    groupProtocol: 'consumer',
    deserializers: stringDeserializers,
  })
  const values: string[] = []
  for await (const { value } of await consumer.consume({ topics: [topic], mode: 'earliest' })) {
    if (values.push(value) === count) break
  }
  await consumer.close(true)
  return values
}

await describeWithServer('kafka', (url) => {
  const topic = `servers-${crypto.randomUUID()}`

  test('takes messages and gives them to a group', { timeout: 30_000 }, async () => {
    await createTopic(url, topic)
    await produce(url, topic, 'a', 'b')
    expect(await consume(url, topic, 2)).toEqual(['a', 'b'])
  })

  test('makes no topic by itself', { timeout: 30_000 }, async () => {
    const undeclared = `${topic}-undeclared`
    const producer = new Producer({ ...clientOptions(url), serializers: stringSerializers, retries: 0 })
    await expect(producer.send({ messages: [{ topic: undeclared, value: 'a' }] })).rejects.toThrow()
    await producer.close()
    expect(await topicsOf(url)).not.toContain(undeclared)
  })

  test('is the same for everyone in the run', async () => {
    expect(await Promise.all([serverFor('kafka'), serverFor('kafka')])).toEqual([{ url }, { url }])
  })
})

await describeWithPrivateServer('kafka', (server) => {
  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'keeps port and data when stopped with %s',
    { timeout: 90_000 },
    async (signal) => {
      const topic = `kept-${signal}`
      await createTopic(server.url, topic)
      await produce(server.url, topic, 'before')
      await server.stop(signal)
      await expect(topicsOf(server.url)).rejects.toThrow()
      await server.start()
      await produce(server.url, topic, 'after')
      expect(await consume(server.url, topic, 2)).toEqual(['before', 'after'])
    },
  )
})
