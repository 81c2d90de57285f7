import { rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { event, newName, open, receive, spec } from './sessions.ts'

await describeWithPrivateServer('kafka', (server) => {
  test(
    'a partition that ends before the place of a queue is said, and nothing passed over',
    { timeout: 120_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      await using transport = kafkaFromUrl(`${server.url}?partitions=1`)
      await transport.declare([spec(queue, topic)])
      const session = await open(transport, queue)
      await transport.publish(Array.from({ length: 10 }, (_, n) => event(topic, n)))
      await receive(session, 10)
      await server.stop('SIGKILL')
      // As after a power cut: what the disk had not got yet is gone.
      const log = join(server.log.replace(/\.log$/, ''), 'storage', `${topic}-0`, '0'.repeat(20))
      await truncate(`${log}.log`, 0)
      await Promise.all(['.index', '.timeindex'].map((kind) => rm(`${log}${kind}`)))
      await server.start()
      const code = async (): Promise<unknown> => {
        try {
          await session.exchange({ settle: [], max: 1 })
          return undefined
        } catch (error) {
          return (error as { code?: unknown }).code
        }
      }
      await expect.poll(code, { timeout: 60_000, interval: 100 }).toBe('LOG_TRUNCATED')
      await session.close()
    },
  )
})
