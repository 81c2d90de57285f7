import { expect, test } from 'vitest'
import { event, handle, handOn, newSchema, open, sessionOn, spec } from './database.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import type { Outgoing } from '../../src/event/outgoing.ts'

await describeWithPrivateServer('postgres', (server) => {
  test('nothing reads again what was handled, while an old transaction keeps it from being cleaned up', async () => {
    const schema = newSchema()
    const hand = handOn(server.url)
    const transport = open(server.url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    const count = 5_000
    const list = (): readonly Outgoing[] => Array.from({ length: count }, (_, i) => event(i))
    const read = async (index: string): Promise<number> => {
      const [row] = await hand.query<{ n: string }>(
        `SELECT idx_tup_read AS n FROM pg_stat_user_indexes WHERE schemaname = $1 AND indexrelname = $2`,
        [schema, index],
      )
      return Number(row!.n)
    }
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
    await expect.poll(() => read('ready'), { timeout: 5_000 }).toBeGreaterThanOrEqual(2 * count)
    expect(await read('ready')).toBeLessThan(10 * count)
    // At its end the session looks at all of it.
    expect(await read('held')).toBeLessThan(3 * count)
  })
})
