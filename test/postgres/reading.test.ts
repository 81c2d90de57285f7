import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { Database } from '../../src/adapters/postgres/database.ts'
import { Presence } from '../../src/adapters/postgres/presence.ts'
import type { StoredEvent } from '../../src/adapters/postgres/stored-event.ts'
import type { Received } from '../../src/contract/transport.ts'
import type { Outgoing } from '../../src/event/outgoing.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { event, handle, handOn, newSchema, open, sessionOn, spec, type Hand } from './database.ts'

/** How many entries all scans have read of the index of messages, or those that are called like this. */
async function read(hand: Hand, schema: string, index: string): Promise<number> {
  const [row] = await hand.query<{ n: string }>(
    `SELECT sum(idx_tup_read) AS n FROM pg_stat_user_indexes
      WHERE schemaname = $1 AND relname = 'messages' AND indexrelname LIKE $2`,
    [schema, index],
  )
  return Number(row!.n)
}

await describeWithPrivateServer('postgres', (server) => {
  test('nothing reads again what was handled, while an old transaction keeps it from being cleaned up', async () => {
    const schema = newSchema()
    const hand = handOn(server.url)
    const transport = open(server.url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    const count = 5_000
    const list = (): readonly Outgoing[] => Array.from({ length: count }, (_, i) => event(i))
    await hand.during('SELECT pg_current_xact_id()', async () => {
      await transport.publish(list())
      expect(await handle(session, count / 128 + 2)).toHaveLength(count)
      await transport.publish(list())
      const { received } = await session.exchange({ settle: [], max: 128 })
      // As autovacuum does: all statements are planned anew, for a table of which little is known to be held.
      await hand.query(`ANALYZE ${schema}.messages`)
      await session.settle(received.map((of) => ({ of, as: 'ack' })))
      expect(await handle(session, count / 128 + 2)).toHaveLength(count - 128)
    })
    // A connection tells at its end, at the latest, what it has read.
    await transport.close()
    // From the start each time it would be half a million. On a server of its own: whenever a transaction of anybody else ends, the session
    // reads once more what it has read since it saw it.
    await expect.poll(() => read(hand, schema, 'ready'), { timeout: 5_000 }).toBeGreaterThanOrEqual(2 * count)
    expect(await read(hand, schema, 'ready')).toBeLessThan(10 * count)
    // At its end the session looks at what was held in the last minute.
    expect(await read(hand, schema, 'held')).toBeLessThan(3 * count)
  })

  test('neither the end of a session nor its new beginning reads what was held long ago, while an old transaction keeps it there', async () => {
    const schema = newSchema()
    const hand = handOn(server.url)
    const transport = open(server.url, schema)
    await transport.declare([spec('q')])
    const count = 5_000
    const pool = new Pool({ connectionString: server.url, application_name: schema })
    const presence = new Presence(new Database(pool, schema, 'Postgres'), 1, 30_000, true)
    await hand.during('SELECT pg_current_xact_id()', async () => {
      await hand.query(`
        INSERT INTO ${schema}.messages (queue, id, slot, type, head, claim, lease)
        SELECT 1, n, -1, 'order.placed', '{}', n, now() - interval '1 hour' FROM generate_series(1, ${count}) n`)
      await hand.query(`DELETE FROM ${schema}.messages`)
      await hand.query(`ANALYZE ${schema}.messages`)
      await presence.enter()
      presence.doubt(['1'])
      await presence.enter()
      await hand.query(`INSERT INTO ${schema}.slots SELECT 1, n, $1 FROM generate_series(0, 63) n`, [
        presence.id,
      ])
      await presence.leave([{ id: '1', claim: presence.nextClaim() } as Partial<StoredEvent> as Received])
    })
    await pool.end()
    // A connection tells at its end, at the latest, what it has read.
    const connections = `SELECT pid FROM pg_stat_activity WHERE application_name = $1`
    await expect.poll(() => hand.query(connections, [schema]), { timeout: 5_000 }).toEqual([])
    expect(await read(hand, schema, '%')).toBeLessThan(count / 10)
  })

  test('hundreds that lapsed at once are passed over once for each of them that is taken', async () => {
    const schema = newSchema()
    const hand = handOn(server.url)
    const transport = open(server.url, schema)
    await transport.declare([spec('q', { order: true })])
    const session = await sessionOn(transport, 'q', 30_000, true)
    const count = 200
    await transport.publish(Array.from({ length: count }, (_, i) => event(i, { key: `k${i}` })))
    expect((await session.exchange({ settle: [], max: count })).received).toHaveLength(count)
    await hand.query(`UPDATE ${schema}.messages SET lease = now() - interval '1 s'`)
    const taken: Received[] = []
    for (let received: readonly Received[] = [], i = 0; i < count; i++) {
      const settle = received.map((of) => ({ of, as: 'ack' as const }))
      received = (await session.exchange({ settle, max: 0, lapsed: 1 })).received
      taken.push(...received)
    }
    expect(taken.map(({ data }) => data)).toEqual(Array.from({ length: count }, (_, i) => String(i)))
    await transport.close()
    await expect.poll(() => read(hand, schema, 'held'), { timeout: 5_000 }).toBeGreaterThan(count)
    expect(await read(hand, schema, 'held')).toBeLessThan(4 * count ** 2)
  })
})
