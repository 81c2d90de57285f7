import { Admin } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import type { Session } from '../../../contract/transport.ts'
import { event, newName, open, spec } from '../../../../test/kafka/sessions.ts'
import { describeWithServer } from '../../../../test/servers/describe-with-server.ts'
import { kafkaFromUrl } from '../index.ts'
import { topicsOf } from '../queues/queue-topics.ts'

/** Takes whatever comes, which is nothing: all of it is moved on. */
async function pump(session: Session, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { received } = await session.exchange({ settle: [], max: 1 })
    expect(received).toEqual([])
    await session.ready(signal)
  }
}

await describeWithServer('kafka', (url) => {
  test('what is moved on while another process comes arrives once', { timeout: 90_000 }, async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await using one = kafkaFromUrl(`${url}?partitions=2`)
    await using other = kafkaFromUrl(`${url}?partitions=2`)
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [new URL(url).host] })
    await one.declare([spec(queue, topic)])
    const first = await open(one, queue)
    const done = new AbortController()
    const pumps = [pump(first, done.signal)]
    const deliverAt = new Date(Date.now() + 3_600_000)
    let count = 0
    const opened = new AbortController()
    const opening = open(other, queue).finally(() => opened.abort())
    // There is always something under way when the lanes are divided anew.
    while (!opened.signal.aborted) {
      await one.publish(Array.from({ length: 400 }, () => event(topic, count++, { deliverAt })))
    }
    const second = await opening
    pumps.push(pump(second, done.signal))
    const places = { groupId: queue, topics: [{ name: topic, partitionIndexes: [0, 1] }] }
    const committed = async (): Promise<number> => {
      const [group] = await admin.listConsumerGroupOffsets({ groups: [places] })
      const partitions = group?.topics[0]?.partitions ?? []
      return partitions.reduce((sum, { committedOffset }) => sum + Number(committedOffset), 0)
    }
    await expect.poll(committed, { timeout: 30_000, interval: 100 }).toBe(count)
    const tier = topicsOf(queue).tiers.find(({ ms }) => ms === 600_000)!.topic
    const [moved] = await admin.listOffsets({
      topics: [{ name: tier, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    })
    expect(Number(moved?.partitions[0]?.offset)).toBe(count)
    done.abort()
    await Promise.all(pumps)
    await Promise.all([first.close(), second.close(), admin.close()])
  })
})
