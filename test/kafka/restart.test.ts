import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { createEvent, millrace } from '../../src/index.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { ascending, numbers } from '../../src/conformance/harness.ts'

await describeWithPrivateServer('kafka', (server) => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(
      `a broker that ends with ${signal} and comes back in the middle of work`,
      { timeout: 120_000 },
      async () => {
        const [queue, topic, count] = [`queue-${signal}`, `topic-${signal}`, 1_000]
        const app = millrace({ transport: kafkaFromUrl(`${server.url}?partitions=3`), logger: false })
        const handled: number[] = []
        let wake = (): void => {}
        app.queue(queue, { topics: [topic] }).on('*', async ({ data }) => {
          handled.push(data as number)
          wake()
        })
        await app.start()
        const until = async (done: () => boolean): Promise<void> => {
          while (!done()) await new Promise<void>((resolve) => (wake = resolve))
        }
        const publish = async (n: number): Promise<void> => {
          const event = createEvent(`${topic}.numbered`, n, { topic })
          for (;;) {
            const taken = await app.publish(event).then(
              () => true,
              (error: { retryable?: boolean }) => {
                if (error.retryable !== true) throw error
                return false
              },
            )
            if (taken) return
          }
        }
        const publishing = (async () => {
          for (const n of numbers(count)) await publish(n)
        })()
        await until(() => handled.length > 200)
        await server.stop(signal)
        await server.start()
        await publishing
        await until(() => new Set(handled).size === count)
        await app.stop()
        expect(ascending([...new Set(handled)])).toEqual(numbers(count))
      },
    )
  }
})
