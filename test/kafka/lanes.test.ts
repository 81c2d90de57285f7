import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import type { Notice } from '../../src/contract/transport.ts'
import { createEvent, millrace, retryIn } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { signal } from '../signals.ts'
import { newName } from './sessions.ts'

await describeWithServer('kafka', (server) => {
  test(
    'a lane whose key is parked takes 10,000 events ahead, pauses and says so, and goes on with all of them in order',
    {
      timeout: 120_000,
    },
    async () => {
      const count = 12_000
      const topic = newName('topic')
      const app = millrace({ transport: kafkaFromUrl(`${server}?partitions=1`), logger: false })
      const paused = signal<Notice>()
      const done = signal()
      const notices: Notice[] = []
      app.onNotice((notice) => {
        if (notice.code !== 'LANE_PAUSED') return
        notices.push(notice)
        paused.give(notice)
      })
      const handled: unknown[] = []
      let repaired = false
      app
        .queue(newName('queue'), { topics: [topic], order: { by: 'key' }, breaker: false })
        .on('*', async (event) => {
          if (!repaired) throw retryIn('1s')
          if (handled.push(event.data) === count) done.give()
        })
      await app.queues() // declares the queue
      const type = `${topic}.made`
      const events = Array.from({ length: count }, (_, n) =>
        createEvent(type, n, { topic, key: 'k', id: `e${n}` }),
      )
      await app.publish(events)
      await app.start()
      expect(await paused.come).toMatchObject({ type, id: 'e0' })
      expect(handled).toEqual([])
      repaired = true
      await done.come
      expect(handled).toEqual(events.map(({ data }) => data))
      expect(notices).toHaveLength(1)
      await app.stop()
    },
  )
})
