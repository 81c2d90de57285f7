import { expect, onTestFinished, test } from 'vitest'
import { event, handOn, newSchema, sessionOn, spec, type Hand } from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { systemClock } from '../../clock/clock.ts'
import type { Received } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { constant, millrace, type Transport } from '../../index.ts'
import { PostgresTransport } from './postgres-transport.ts'

const limit = 1_000

/** One whose statements may not take long. */
function impatient(url: string, schema: string): PostgresTransport {
  const transport = new PostgresTransport({
    connect: { config: { connectionString: url, application_name: schema }, max: 6 },
    where: 'Postgres',
    schema,
    migrate: 'auto',
    longestStatement: limit,
    retention: 3_600_000,
    remember: 3_600_000,
    wake: { wake: 'interval', pollInterval: 100 },
    clock: systemClock,
  })
  onTestFinished(() => transport.close())
  return transport
}

/** How many backends wait for a lock of somebody else. `database` is that of all tests, so it is told by what they wait for. */
async function waiting(hand: Hand, statement: string): Promise<number> {
  const rows = await hand.query(
    `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid() AND query LIKE $1`,
    [`%${statement}%`],
  )
  return rows.length
}

for (const server of ['postgres', 'postgres-pooled'] as const) {
  await describeWithServer(server, (url) => {
    test('declare behind an open transaction that keeps events ends in time, leaves nobody waiting, and may be tried again', async () => {
      const schema = newSchema()
      const hand = handOn(url)
      const transport = impatient(url, schema)
      await transport.declare([])
      await hand.during(`SELECT generation FROM ${schema}.meta FOR SHARE`, async () => {
        const declared = transport.declare([spec('q')])
        await expect.poll(() => waiting(hand, schema), { timeout: 5_000 }).toBe(1)
        await expect(declared).rejects.toMatchObject({ code: 'STORE_BUSY' })
        expect(await waiting(hand, schema)).toBe(0)
      })
      expect(await transport.declare([spec('q')])).toMatchObject({ created: ['q'] })
    })

    test('a claim that waits for what somebody has locked ends in time, and takes it when it is free', async () => {
      const schema = newSchema()
      const hand = handOn(url)
      const transport = impatient(url, schema)
      await transport.declare([spec('q', { order: true })])
      const session = await sessionOn(transport, 'q', 30_000, true)
      await session.exchange({ settle: [], max: 1 })
      await transport.publish([event(1, { key: 'k' })])
      await hand.during(`SELECT 1 FROM ${schema}.messages FOR UPDATE`, async () => {
        const exchanged = session.exchange({ settle: [], max: 1 })
        await expect(exchanged).rejects.toMatchObject({ code: 'STORE_BUSY' })
        expect(await waiting(hand, schema)).toBe(0)
      })
      let received: readonly Received[] = []
      await expect
        .poll(async () => {
          received = (await session.exchange({ settle: [], max: 1 })).received
          return received.length
        })
        .toBe(1)
      expect(received[0]).toMatchObject({ attempt: 1, lapsed: false })
    })

    test('a publish that waits for another of the same id was not taken, and may be tried again', async () => {
      const schema = newSchema()
      const hand = handOn(url)
      const transport = impatient(url, schema)
      await transport.declare([spec('q')])
      const twice = event(1)
      const same = `INSERT INTO ${schema}.messages (queue, id, slot, type, head)
        SELECT id, '${twice.id}', -1, 'order.placed', '{}' FROM ${schema}.queues`
      await hand.during(same, async () => {
        await expect(transport.publish([twice])).rejects.toMatchObject({
          code: 'STORE_BUSY',
          retryable: true,
          results: ['rejected'],
        })
        expect(await waiting(hand, schema)).toBe(0)
      })
      await transport.publish([twice])
      expect(await hand.query(`SELECT id FROM ${schema}.messages`)).toEqual([{ id: twice.id }])
    })

    test.each(['in the inbox', 'in its queue'])(
      'an event whose row %s somebody has locked is no failure of its handler, and handled when it is free',
      async (where) => {
        const schema = newSchema()
        const hand = handOn(url)
        const transport = impatient(url, schema)
        const app = millrace({ transport: transport as Transport, logger: false })
        onTestFinished(() => app.stop({ timeout: 0 }))
        const attempts: number[] = []
        let free: (() => void) | undefined
        const notices: string[] = []
        app.onNotice(({ code }) => notices.push(code))
        const order = createEvent('order.placed', 1)
        const lock = {
          'in the inbox': `INSERT INTO ${schema}.inbox (queue, id) SELECT '#' || id, '${order.id}' FROM ${schema}.queues`,
          'in its queue': `SELECT 1 FROM ${schema}.messages FOR UPDATE`,
        }[where]!
        let began = (): void => {}
        const running = new Promise<void>((resolve) => (began = resolve))
        const locked = new Promise<void>((resolve) => (free = resolve))
        app
          .queue('billing', { transactional: true, concurrency: 2, retry: { backoff: constant(1) } })
          .on('order.placed', async (_event, ctx) => {
            attempts.push(ctx.attempt)
            began()
            if (where === 'in its queue') await locked
          })
        await app.start()
        if (where === 'in its queue') {
          await app.publish(order)
          await running
        }
        await hand.during(lock, async () => {
          if (where === 'in the inbox') await app.publish(order)
          else free?.()
          await expect.poll(() => notices, { timeout: 10_000 }).toContain('STORE_BUSY')
        })
        await expect
          .poll(() => hand.query(`SELECT 1 FROM ${schema}.messages`), { timeout: 10_000 })
          .toEqual([])
        expect(new Set(attempts)).toEqual(new Set([1]))
        expect(await waiting(hand, schema)).toBe(0)
      },
    )
  })
}
