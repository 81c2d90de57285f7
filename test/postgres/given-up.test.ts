import { expect, onTestFinished, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import { postgres } from '../../src/adapters/postgres/index.ts'
import { createEvent, millrace, type Transport } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { handOn, newSchema } from './database.ts'

await describeWithServer('postgres', (url) => {
  test('an event that is given up while its transaction waits to begin is not handled when that has begun', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const outbox = postgres({ connectionString: url, schema })
    const app = millrace({ transport: memory() as Transport, outbox, relay: false, logger: false })
    onTestFinished(() => app.stop({ timeout: 0 }))
    const handled: unknown[] = []
    const dead: string[] = []
    app.onDeadLetter(({ id }) => dead.push(id))
    app
      .queue('billing', {
        transactional: true,
        concurrency: 1,
        maxHandling: '1s',
        lease: '3s',
        retry: { attempts: 1 },
      })
      .on('order.placed', ({ data }) => void handled.push(data))
    await app.start()
    await app.publish('order.placed', 'before')
    await expect.poll(() => handled, { timeout: 10_000 }).toEqual(['before'])
    const order = createEvent('order.placed', 'given up')
    const lock = `INSERT INTO ${schema}.inbox (queue, id) VALUES ('billing', '${order.id}')`
    await hand.during(lock, async () => {
      await app.publish(order)
      await expect.poll(() => dead, { timeout: 10_000 }).toEqual([order.id])
    })
    await app.publish('order.placed', 'behind')
    await expect.poll(() => handled.includes('behind'), { timeout: 10_000 }).toBe(true)
    await app.stop()
    expect(handled).toEqual(['before', 'behind'])
  })
})
