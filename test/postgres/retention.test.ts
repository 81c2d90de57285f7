import { expect, test } from 'vitest'
import type { DeadLetterRecord } from '../../src/contract/dead-letter.ts'
import type { Received, Settlement, Transport } from '../../src/contract/transport.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { event, handOn, newSchema, open, sessionOn, spec, type Hand } from './database.ts'

const record: DeadLetterRecord = {
  error: { name: 'Error', message: 'no' },
  attempts: 1,
  firstFailedAt: 1,
  deadAt: 2,
  history: [],
}
const perRound = 1_000
const padding = 'x'.repeat(1_000)

/** Publishes events, handles all but the first, which dies, and cleans up, as autovacuum does. Gives the bytes of the table. */
async function round(transport: Transport, hand: Hand, schema: string): Promise<number> {
  await transport.publish(Array.from({ length: perRound }, () => event(padding)))
  const session = await sessionOn(transport, 'q')
  let settle: readonly Settlement[] = []
  let received: readonly Received[] = []
  let handled = 0
  do {
    received = (await session.exchange({ settle, max: 128 })).received
    settle = received.map((of, i) => (handled + i === 0 ? { of, as: 'dead', record } : { of, as: 'ack' }))
    handled += received.length
  } while (received.length > 0)
  await session.close()
  expect(handled).toBe(perRound)
  await hand.query(`VACUUM ${schema}.messages`)
  const [row] = await hand.query<{ rows: number; bytes: string }>(
    `SELECT (SELECT count(*)::int FROM ${schema}.messages) AS rows, pg_table_size('${schema}.messages') AS bytes`,
  )
  expect(row!.rows).toBe(0)
  return Number(row!.bytes)
}

// A server of its own: an old transaction anywhere in the database keeps what was deleted.
await describeWithPrivateServer('postgres', (server) => {
  test(
    'the table of events grows no more than what is under way at a time; dead letters stay',
    { timeout: 60_000 },
    async () => {
      const schema = newSchema()
      const transport = open(server.url, schema)
      const hand = handOn(server.url)
      await transport.declare([spec('q')])
      const bytes: number[] = []
      for (let n = 0; n < 6; n++) bytes.push(await round(transport, hand, schema))
      expect(bytes.at(-1)).toBeLessThan(1.2 * bytes[1]!)
      expect(await transport.admin.deadLetters('q', { limit: 10 })).toHaveLength(6)
    },
  )

  test('what an old transaction keeps is used again once that is over', { timeout: 60_000 }, async () => {
    const schema = newSchema()
    const transport = open(server.url, schema)
    const hand = handOn(server.url)
    await transport.declare([spec('q')])
    await round(transport, hand, schema)
    const kept: number[] = []
    await hand.during('SELECT pg_current_xact_id()', async () => {
      for (let n = 0; n < 4; n++) kept.push(await round(transport, hand, schema))
    })
    expect(kept.at(-1), 'nothing was kept').toBeGreaterThan(1.3 * kept[0]!)
    const after: number[] = []
    for (let n = 0; n < 4; n++) after.push(await round(transport, hand, schema))
    expect(after.at(-1)).toBeLessThan(1.1 * after[0]!)
  })
})
