import { expect, onTestFinished, test } from 'vitest'
import { createEvent, millrace } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, handOn, newSchema, open, spec } from './database.ts'

await describeWithServer('postgres', (url) => {
  test('events of a key have their places in the order of their publishes, though statements overlap', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const app = millrace({ transport, logger: false })
    onTestFinished(() => app.stop())
    const published: Promise<void>[] = []
    for (let n = 0; n < 6_000; n++) {
      const key = n % 150 === 0 ? 'busy' : `k${n}`
      published.push(app.publish('order.placed', n, { key }))
      if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(published)
    const rows = await handOn(url).query<{ n: number }>(
      `SELECT data::int AS n FROM ${schema}.messages WHERE key = 'busy' ORDER BY seq`,
    )
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 40 }, (_, n) => n * 150))
  })

  test.each([
    { what: 'two statements are under way at once, and a third publish', held: ['a', 'b'], key: 'c' },
    { what: 'a publish with the key of one under way', held: ['a'], key: 'a' },
  ])('$what waits until one has ended', async ({ held, key }) => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(`${url}?application_name=${schema}`, schema)
    await transport.declare([spec('q')])
    const app = millrace({ transport, logger: false })
    onTestFinished(() => app.stop())
    const publish = (id: string, of = id): Promise<void> =>
      app.publish(createEvent('order.placed', 1, { id, key: of }))
    const ids = async (): Promise<readonly string[]> =>
      (await hand.query<{ id: string }>(`SELECT id FROM ${schema}.messages`)).map(({ id }) => id).toSorted()
    const waiting = `SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`
    const hold = `INSERT INTO ${schema}.messages (queue, id, slot, type, head)
      SELECT q.id, e.id, -1, 'order.placed', '{}' FROM ${schema}.queues q, unnest('{${held.join()}}'::text[]) e (id)`
    const published: Promise<void>[] = []
    await hand.during(hold, async () => {
      for (const id of held) {
        published.push(publish(id))
        await expect.poll(() => hand.query(waiting, [schema])).toHaveLength(published.length)
      }
      published.push(publish('last', key))
      // Nobody holds its id. What leaves after it by itself is there before.
      await transport.publish([event(1, { id: 'other' })])
      expect(await ids()).toEqual(['other'])
    })
    await Promise.all(published)
    expect(await ids()).toEqual([...held, 'last', 'other'])
  })
})
