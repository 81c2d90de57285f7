import { Admin } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { ascending, numbers } from '../../src/conformance/harness.ts'
import { createEvent, millrace, PublishError } from '../../src/index.ts'
import { describeWithKafkaCluster } from '../servers/describe-with-server.ts'

await describeWithKafkaCluster((cluster) => {
  test(
    'a broker that leads and is killed in the middle of work costs no event',
    { timeout: 90_000 },
    async () => {
      const [topic, count] = ['numbers', 600]
      const transport = kafkaFromUrl(`${cluster.url}?partitions=1&replicas=3`)
      const app = millrace({ transport, logger: false })
      // Their places are kept in all four partitions of Kafka's own topic for that: the broker leads some of them too.
      const handled = new Map(['a', 'b', 'c', 'd'].map((queue) => [queue, new Set<number>()]))
      const codes = new Set<string>()
      let wake = (): void => {}
      app.onNotice(({ code }) => void codes.add(code))
      for (const [queue, seen] of handled) {
        app.queue(queue).on(`${topic}.*`, ({ data }) => {
          seen.add(data as number)
          wake()
        })
      }
      const all = (enough: number): boolean => [...handled.values()].every(({ size }) => size >= enough)
      const until = async (done: () => boolean): Promise<void> => {
        while (!done()) await new Promise<void>((resolve) => (wake = resolve))
      }
      await app.start()
      expect(transport.features.durable).toBe('replicated')
      expect(codes).not.toContain('REPLICATION_WEAK')
      const publish = async (n: number): Promise<void> => {
        const event = createEvent(`${topic}.made`, n, { topic })
        for (let taken = false; !taken;) {
          taken = await app.publish(event).then(
            () => true,
            (error: unknown) => {
              if (!(error instanceof PublishError && error.retryable)) throw error
              return false
            },
          )
        }
      }
      const publishing = (async () => {
        // Ten at a time, each until it is taken: what is unknown comes again.
        for (let n = 0; n < count; n += 10) {
          await Promise.all(numbers(10).map((i) => publish(n + i)))
        }
      })()
      await until(() => all(100))
      const leader = await leaderOf(cluster.url, topic)
      await cluster.brokers.get(leader)?.stop('SIGKILL')
      await publishing
      await until(() => all(count))
      for (const seen of handled.values()) expect(ascending([...seen])).toEqual(numbers(count))
      await app.stop()
    },
  )
})

async function leaderOf(url: string, topic: string): Promise<number> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: url.replace('kafka://', '').split(',') })
  try {
    const { topics } = await admin.metadata({ topics: [topic] })
    return topics.get(topic)?.partitions[0]?.leader ?? -1
  } finally {
    await admin.close()
  }
}
