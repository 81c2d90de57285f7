import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import {
  event,
  handle,
  handOn,
  idsOf,
  newSchema,
  open,
  sessionOn,
  spec,
} from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import type { Received, Settlement } from '../../contract/transport.ts'

await describeWithServer('postgres', (url) => {
  test('what a transaction commits late is found at once, behind what was handled long ago', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    await transport.publish([event(1)])
    await handle(session, 1)
    const late = new Client(url)
    await late.connect()
    onTestFinished(() => late.end())
    await late.query(`BEGIN; INSERT INTO ${schema}.messages (queue, id, slot, type, head, data)
      SELECT id, 'late', -1, 'order.placed', '{}', '{}' FROM ${schema}.queues`)
    for (let i = 0; i < 5; i++) {
      await transport.publish([event(2), event(3)])
      expect(await handle(session, 2)).toHaveLength(2)
    }
    await late.query('COMMIT')
    expect(idsOf(await handle(session, 2))).toEqual(['late'])
  })

  test('what the youngest transaction commits late is found, though no younger one has ended when its place was passed', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    await handle(session, 1)
    const [older, youngest] = [new Client(url), new Client(url)]
    for (const client of [older, youngest]) {
      await client.connect()
      onTestFinished(() => client.end())
      await client.query('BEGIN; SELECT pg_current_xact_id()')
    }
    const insert = (id: string): string => `INSERT INTO ${schema}.messages (queue, id, slot, type, head, data)
      SELECT id, '${id}', -1, 'order.placed', '{}', '{}' FROM ${schema}.queues`
    await youngest.query(insert('first'))
    await older.query(insert('second'))
    await older.query('COMMIT')
    expect(idsOf(await handle(session, 2))).toEqual(['second'])
    await youngest.query('COMMIT')
    expect(idsOf(await handle(session, 2))).toEqual(['first'])
  })

  test('an exchange that waits holds up no other', { timeout: 20_000 }, async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    await transport.publish([event(1), event(2), event(3), event(4)])
    const [first, second] = (await session.exchange({ settle: [], max: 2 })).received
    const locked = `SELECT FROM ${schema}.messages WHERE id = '${first!.id}' FOR UPDATE`
    let waiting: Promise<unknown> | undefined
    await hand.during(locked, async () => {
      waiting = session.exchange({ settle: [{ of: first!, as: 'ack' }], max: 0 })
      const next = await session.exchange({ settle: [{ of: second!, as: 'ack' }], max: 1 })
      expect(next.received).toHaveLength(1)
      expect((await session.exchange({ settle: [], max: 1 })).received).toHaveLength(1)
    })
    expect(await waiting).toMatchObject({ settled: undefined })
  })

  test('the dead letters of an exchange are one transaction, each with its record; who is not held any more is none', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    await transport.publish([event(0), event(1), event(2)])
    const { received } = await session.exchange({ settle: [], max: 3 })
    await session.settle([{ of: received[1]!, as: 'ack' }])
    const settlements = received.map((of, attempts): Settlement => {
      const error = { name: 'Error', message: `never ${attempts}` }
      return { of, as: 'dead', record: { error, attempts, firstFailedAt: 1, deadAt: 2, history: [] } }
    })
    expect(await session.settle(settlements)).toEqual(['done', 'gone', 'done'])
    const letters = await transport.admin.deadLetters('q', { limit: 10 })
    expect(letters.map(({ letter, record }) => [letter, record.attempts])).toEqual([
      [received[0]!.id, 0],
      [received[2]!.id, 2],
    ])
    const [written] = await handOn(url).query<{ n: number }>(
      `SELECT count(DISTINCT xmin::text)::int AS n FROM ${schema}.dead`,
    )
    expect(written?.n).toBe(1)
  })

  test('of two leases of one event only the one that is held settles it, and only that one is kept', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    const twice = async (): Promise<readonly Received[]> => {
      await transport.publish([event(1)])
      const { received } = await session.exchange({ settle: [], max: 1 })
      await hand.query(`UPDATE ${schema}.messages SET lease = now() - interval '1 s'`)
      return [...received, ...(await session.exchange({ settle: [], max: 0, lapsed: 1 })).received]
    }
    const ways = [
      (settle: readonly Settlement[]) => session.settle(settle),
      async (settle: readonly Settlement[]) => (await session.exchange({ settle, max: 0 })).settled,
    ]
    for (const settled of ways) {
      const acks = (await twice()).map((of) => ({ of, as: 'ack' as const }))
      expect(await settled(acks)).toEqual(['gone', 'done'])
    }
    await session.close({ keep: (await twice()).slice(0, 1) })
    expect(await transport.admin.queues()).toMatchObject([{ depth: 1, inFlight: 0 }])
  })

  test('a second dead letter of an event has a name of its own, whatever the ids of others are', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    const record = {
      error: { name: 'Error', message: 'no' },
      attempts: 1,
      firstFailedAt: 1,
      deadAt: 2,
      history: [],
    }
    const die = async (): Promise<void> => {
      const { received } = await session.exchange({ settle: [], max: 1 })
      await session.settle(received.map((of) => ({ of, as: 'dead', record })))
    }
    const twice = event(1)
    await transport.publish([twice])
    await die()
    await transport.publish([twice])
    await hand.query(`INSERT INTO ${schema}.dead (queue, name, id, type, head, record)
      SELECT d.queue, d.id || '~' || m.seq, d.id || '~' || m.seq, d.type, d.head, d.record
      FROM ${schema}.dead d, ${schema}.messages m`)
    await die()
    const letters = await transport.admin.deadLetters('q', { limit: 3 })
    const named = letters.filter(({ id }) => id === twice.id).map(({ letter }) => letter)
    expect(named).toEqual([twice.id, expect.stringMatching(new RegExp(`^${twice.id}~.`))])
    expect(await transport.admin.redrive('q', named.slice(1))).toBe(1)
    expect(idsOf((await session.exchange({ settle: [], max: 1 })).received)).toEqual([twice.id])
  })

  test('a renewal that meets a session which begins anew loses no lease', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(`${url}?application_name=${schema}`, schema)
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    await transport.publish([event(1), event(2)])
    const [first, second] = (await session.exchange({ settle: [], max: 2 })).received
    const waiting = (): Promise<readonly { pid: number }[]> =>
      hand.query(
        `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`,
        [schema],
      )
    await hand.during(`SELECT FROM ${schema}.messages WHERE id = '${first!.id}' FOR UPDATE`, async () => {
      const cut = expect(session.exchange({ settle: [{ of: first!, as: 'ack' }], max: 0 })).rejects.toThrow()
      await expect.poll(waiting, { timeout: 10_000 }).toHaveLength(1)
      const [{ pid }] = (await waiting()) as [{ pid: number }]
      await hand.query('SELECT pg_terminate_backend($1)', [pid])
      await cut
    })
    let [beginning, extending]: Promise<unknown>[] = []
    await hand.during(`SELECT FROM ${schema}.queues FOR UPDATE`, async () => {
      beginning = session.exchange({ settle: [], max: 0 })
      await expect.poll(waiting, { timeout: 10_000 }).toHaveLength(1)
      extending = session.extend([second!], 30_000)
      await expect.poll(waiting, { timeout: 10_000 }).toHaveLength(2)
    })
    await beginning
    expect(await extending).toEqual(['ok'])
  })
})
