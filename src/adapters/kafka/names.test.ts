import { afterAll, beforeAll, expect, test } from 'vitest'
import type { QueueSpec, Transport } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent, type Outgoing } from '../../event/outgoing.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { kafkaFromUrl } from './index.ts'
import { registryTopic } from './queues/topics.ts'
import { namesOf, topicsOf } from './queues/queue-topics.ts'

let last = 0
const newName = (what: string): string => `${what}-${Date.now().toString(36)}-${process.pid}-${++last}`

function spec(name: string, ...topics: readonly string[]): QueueSpec {
  const subscriptions = topics.map((topic) => ({ topic, pattern: '*' }))
  return { name, subscriptions, from: 'now', order: false }
}

/** Of any topic, also one that the library lets nobody else publish to. */
function event(topic: string): Outgoing {
  return { ...encodeEvent(createEvent('it.happened', 1)), topic }
}

await describeWithServer('kafka', (server) => {
  let transport: Transport
  beforeAll(() => {
    transport = kafkaFromUrl(`${server}?partitions=1`)
  })
  afterAll(() => transport.close())

  const depthOf = async (queue: string): Promise<number | undefined> =>
    (await transport.admin.queues()).find(({ name }) => name === queue)?.depth

  test('nothing is published into the topics of a queue, by whom ever it was declared', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await transport.declare([spec(queue, topic)])
    await using other = kafkaFromUrl(`${server}?partitions=1`)
    const reserved = [registryTopic, ...namesOf(topicsOf(queue))]
    for (const publisher of [transport, other]) {
      await expect(publisher.publish([...reserved, topic].map(event))).rejects.toMatchObject({
        code: 'TOPIC_RESERVED',
        retryable: false,
        results: [...reserved.map(() => 'rejected'), 'taken'],
        message: expect.stringContaining(registryTopic),
      })
    }
    expect(await depthOf(queue)).toBe(2)
  })

  test('no queue subscribes to the topics of a queue', async () => {
    const [queue, topic, other] = [newName('queue'), newName('topic'), newName('queue')]
    await transport.declare([spec(queue, topic)])
    for (const reserved of [registryTopic, `${queue}.retry`, `${other}.delay.600`]) {
      await expect(transport.declare([spec(other, topic, reserved)])).rejects.toMatchObject({
        code: 'TOPIC_RESERVED',
        message: expect.stringContaining(reserved),
      })
    }
    expect(await depthOf(other)).toBeUndefined()
  })

  test('names that only look like those are free, until a queue would need them for itself', async () => {
    const [name, queue] = [newName('name'), newName('queue')]
    const topics = [`${name}.retry`, `${name}.delay.7`, `${name}retry`, `${name}.queues`]
    await transport.declare([spec(queue, ...topics)])
    await transport.publish(topics.map(event))
    expect(await depthOf(queue)).toBe(topics.length)
    await expect(transport.declare([spec(name, newName('topic'))])).rejects.toMatchObject({
      code: 'TOPIC_RESERVED',
      message: expect.stringContaining(`${name}.retry`),
    })
    // Twice, and from two sides, one queue may be declared all the same.
    await transport.declare([spec(queue, ...topics)])
    await using other = kafkaFromUrl(`${server}?partitions=1`)
    const fresh = spec(newName('queue'), ...topics)
    await Promise.all([transport.declare([fresh]), other.declare([fresh])])
  })
})
