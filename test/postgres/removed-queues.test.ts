import { Client, Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, handOn, newSchema, open, sessionOn, spec } from './database.ts'

await describeWithServer('postgres', (url) => {
  test('what a transaction publishes and commits after its queue was removed does not stay for ever', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q'), spec('other')])
    const client = new Client(url)
    await client.connect()
    onTestFinished(() => client.end())
    await client.query('BEGIN')
    await transport.publish([event(1), event(2)], { transaction: client })
    await transport.admin.removeQueue('q')
    await client.query('COMMIT')
    const left = (): Promise<readonly unknown[]> =>
      hand.query(`SELECT name, count(*)::int AS count FROM ${schema}.messages m LEFT JOIN ${schema}.queues q ON q.id = m.queue
        GROUP BY name ORDER BY name`)
    const kept = { name: 'other', count: 2 }
    expect(await left()).toEqual([kept, { name: null, count: 2 }])
    // Whoever uses the tables next cleans up, within a minute.
    await open(url, schema).declare([])
    await expect.poll(left).toEqual([kept])
  })

  test('a transport that is closed leaves the rest of what it sweeps up, and the pool alone', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    await open(url, schema).declare([])
    await hand.query(`INSERT INTO ${schema}.removed (queue) VALUES (99)`)
    await hand.query(`INSERT INTO ${schema}.messages (queue, id, slot, type, head, data)
      SELECT 99, n::text, -1, 'order.placed', '{}', '{}' FROM generate_series(1, 1500) n`)
    const pool = new Pool({ connectionString: url, max: 3 })
    onTestFinished(() => pool.end())
    const transport = open(url, schema, { pool })
    const { closing } = await hand.during(`SELECT FROM ${schema}.messages FOR UPDATE`, async () => {
      await transport.declare([])
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DELETE FROM "${schema}".messages%'`
      await expect.poll(() => hand.query(waiting)).toHaveLength(1)
      return { closing: transport.close() }
    })
    await closing
    expect(pool.idleCount).toBe(pool.totalCount)
    expect(await hand.query(`SELECT FROM ${schema}.messages`)).toHaveLength(1_000)
  })

  test('a queue has not handled what a former one of its name has', async () => {
    const transport = open(url, newSchema())
    const handled: number[] = []
    const placed = event(1)
    for (const life of [1, 2]) {
      await transport.declare([spec('q')])
      const session = await sessionOn(transport, 'q')
      for (const _ of ['first', 'repeated']) {
        await transport.publish([placed])
        const [of] = (await session.exchange({ settle: [], max: 1 })).received
        await session.transact!(of!, async () => void handled.push(life))
      }
      await session.close()
      await transport.admin.removeQueue('q')
    }
    expect(handled).toEqual([1, 2])
  })
})
