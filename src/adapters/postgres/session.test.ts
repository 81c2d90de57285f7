import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { event, handOn, newSchema, open, sessionOn, spec } from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { pause, systemClock } from '../../clock/clock.ts'
import type { Notice, Received, Session, Settlement } from '../../contract/transport.ts'
import type { Outgoing } from '../../event/outgoing.ts'

const hour = 3_600_000
const idsOf = (received: readonly Received[]): readonly string[] => received.map(({ id }) => id)

/** Takes and acknowledges what comes in `count` exchanges. */
async function handle(session: Session, count: number): Promise<readonly Received[]> {
  const taken: Received[] = []
  let received: readonly Received[] = []
  for (let i = 0; i < count; i++) {
    const settle = received.map((of) => ({ of, as: 'ack' as const }))
    received = (await session.exchange({ settle, max: 128 })).received
    taken.push(...received)
  }
  await session.settle(received.map((of) => ({ of, as: 'ack' })))
  return taken
}

/** One event, if it comes within so many milliseconds. */
async function take(session: Session, ms: number): Promise<readonly Received[]> {
  const signal = AbortSignal.timeout(ms)
  for (;;) {
    const { received } = await session.exchange({ settle: [], max: 1 })
    if (received.length > 0 || signal.aborted) return received
    await session.ready(signal)
  }
}

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

  test('nothing reads again what was handled, while an old transaction keeps it from being cleaned up', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
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
    // From the start each time it would be half a million. Alone it is exactly 2 * count; but whenever a transaction of another test on this
    // server ends, the session reads once more what it has read since it saw it: beside all the tests of Postgres 6 * count.
    await expect.poll(() => read('ready'), { timeout: 5_000 }).toBeGreaterThanOrEqual(2 * count)
    expect(await read('ready')).toBeLessThan(30 * count)
    // At its end the session looks at all of it.
    expect(await read('held')).toBeLessThan(3 * count)
  })

  test('what was set aside behind a lapsed event comes before what is published later, whichever other key was kept back then', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q', { order: true })])
    const session = await sessionOn(transport, 'q', 30_000, true)
    await session.exchange({ settle: [], max: 1 })
    await transport.publish([event(1, { key: 'k' }), event(2, { key: 'other' })])
    const [first, other] = (await session.exchange({ settle: [], max: 2 })).received
    await session.settle([{ of: other!, as: 'retry', delay: hour, park: true }])
    await hand.query(`UPDATE ${schema}.messages SET lease = now() - interval '1 s' WHERE id = $1`, [
      first!.id,
    ])
    const [second, third] = [event(3, { key: 'k' }), event(4, { key: 'k' })]
    await transport.publish([second])
    expect((await session.exchange({ settle: [], max: 2 })).received).toEqual([])
    await hand.query(`UPDATE ${schema}.messages SET due = now() WHERE id = $1`, [other!.id])
    await expect.poll(async () => idsOf(await handle(session, 2))).toEqual([other!.id])
    const [lapsed] = (await session.exchange({ settle: [], max: 0, lapsed: 1 })).received
    expect(lapsed?.id).toBe(first!.id)
    await session.settle([{ of: lapsed!, as: 'ack' }])
    await transport.publish([third])
    expect(idsOf(await handle(session, 2))).toEqual([second.id, third.id])
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

  test('an event that somebody has locked for a moment is not overtaken by the next of its key', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q', { order: true })])
    const session = await sessionOn(transport, 'q', 30_000, true)
    await session.exchange({ settle: [], max: 1 })
    await transport.publish([event(1, { key: 'k' })])
    const locked = await hand.during(`SELECT 1 FROM ${schema}.messages FOR UPDATE`, async () => {
      await transport.publish([event(2, { key: 'k' })])
      const exchanged = session.exchange({ settle: [], max: 2 })
      await Promise.race([exchanged, pause(systemClock, 200)])
      return { exchanged }
    })
    const { received } = await locked.exchanged
    expect(received.map(({ data }) => data)).toEqual(['1', '2'].slice(0, received.length))
    expect(received).not.toEqual([])
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

  test('who has just used a slot gives it within moments to one that asks', async () => {
    const transport = open(url, newSchema())
    await transport.declare([spec('q', { order: true })])
    const first = await sessionOn(transport, 'q', 30_000, true)
    const second = await sessionOn(transport, 'q', 30_000, true)
    for (let round = 0; round < 8; round++) {
      await transport.publish([event(1, { key: `k${round}` }), event(2, { key: `k${round}` })])
      const [failed] = await take(first, 5_000)
      // With nothing in flight of its key, its slot is free to go.
      await first.settle([{ of: failed!, as: 'retry', delay: hour }])
      const [passing] = await take(second, 1_000)
      expect(passing?.key, `after round ${round}`).toBe(`k${round}`)
      await second.settle([{ of: passing!, as: 'ack' }])
    }
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

  test('a slot that was to leave, and has to no more, is claimed from again', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q', { order: true })])
    const [first, second] = [
      await sessionOn(transport, 'q', 30_000, true),
      await sessionOn(transport, 'q', 30_000, true),
    ]
    const keys = Array.from({ length: 500 }, (_, n) => `k${n}`)
    const published = keys.map((key) => event(key, { key }))
    await transport.publish(published)
    const all: Received[] = []
    while (all.length < keys.length)
      all.push(...(await first.exchange({ settle: [], max: keys.length })).received)
    // Neither is idle, and the second one, which finds nothing, wants half of the slots: all are in use.
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const stay = async (session: Session, received: (list: readonly Received[]) => void): Promise<void> => {
      while (!stop.signal.aborted) {
        received((await session.exchange({ settle: [], max: keys.length })).received)
        await session.ready(stop.signal)
      }
    }
    const again = new Set<string>()
    const staying = [first, second].map((session) =>
      stay(session, (list) => idsOf(list).forEach((id) => again.add(id))),
    )
    const slots = (): Promise<readonly { count: number }[]> =>
      hand.query(`SELECT count(*)::int AS count FROM ${schema}.slots GROUP BY session ORDER BY session`)
    const slotOf = new Map(
      (await hand.query<{ id: string; slot: number }>(`SELECT id, slot FROM ${schema}.messages`)).map(
        ({ id, slot }) => [id, slot],
      ),
    )
    const ack = (list: readonly Received[]): Promise<unknown> =>
      first.settle(list.map((of) => ({ of, as: 'ack' })))
    await expect
      .poll(() => hand.query(`SELECT wants FROM ${schema}.sessions ORDER BY id`))
      .toMatchObject([{}, { wants: true }])
    await ack(all.filter(({ id }) => slotOf.get(id)! >= 32))
    await expect.poll(slots, { timeout: 10_000 }).toEqual([{ count: 32 }, { count: 32 }])
    await ack(all.filter(({ id }) => slotOf.get(id)! < 32))
    const next = keys.map((key) => event(key, { key }))
    await transport.publish(next)
    await expect.poll(() => again.size, { timeout: 5_000 }).toBe(next.length)
    stop.abort()
    await Promise.all(staying)
  })

  test('an event of another instance wakes by NOTIFY, long before it is time to look', async () => {
    const schema = newSchema()
    const transport = open(url, schema, { pollInterval: hour })
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    expect(await handle(session, 1)).toEqual([])
    // Until it listens it looks often.
    await session.ready(AbortSignal.timeout(2_000))
    expect(await handle(session, 1)).toEqual([])
    const stop = AbortSignal.timeout(8_000)
    const woken = session.ready(stop)
    await open(url, schema).publish([event(1)])
    await woken
    expect(stop.aborted, 'nothing woke it').toBe(false)
    expect(await handle(session, 1)).toHaveLength(1)
  })

  test('a retry that becomes due wakes, long before it is time to look', async () => {
    const transport = open(url, newSchema(), { pollInterval: hour })
    await transport.declare([spec('q')])
    await transport.publish([event(1)])
    const session = await sessionOn(transport, 'q')
    const { received } = await session.exchange({ settle: [], max: 1 })
    await session.settle([{ of: received[0]!, as: 'retry', delay: 400 }])
    const stop = AbortSignal.timeout(8_000)
    let again: readonly Received[] = []
    while (again.length === 0 && !stop.aborted) {
      again = (await session.exchange({ settle: [], max: 1 })).received
      if (again.length === 0) await session.ready(stop)
    }
    expect(again.map(({ attempt }) => attempt)).toEqual([2])
  })

  test('a lease that runs out wakes, long before it is time to look, and so does one taken since', async () => {
    const schema = newSchema()
    const transport = open(url, schema, { pollInterval: hour })
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    await session.exchange({ settle: [], max: 1 })
    // Until it listens it looks often.
    await session.ready(AbortSignal.timeout(2_000))
    const stop = AbortSignal.timeout(15_000)
    for (const lease of [2_000, 1_000]) {
      const holder = await sessionOn(open(url, schema), 'q', lease)
      await transport.publish([event(1)])
      const [held] = await take(holder, 5_000)
      let lapsed: readonly Received[] = []
      while (lapsed.length === 0 && !stop.aborted) {
        lapsed = (await session.exchange({ settle: [], max: 1, lapsed: 1 })).received
        if (lapsed.length === 0) await session.ready(stop)
      }
      expect(idsOf(lapsed)).toEqual([held!.id])
      await session.settle([{ of: lapsed[0]!, as: 'ack' }])
    }
  })

  test('a connection that listens and is ended comes back; until then it is looked', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const notices: Notice[] = []
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const session = await transport.open('q', {
      lease: 30_000,
      order: false,
      clock: systemClock,
      notice: (notice) => notices.push(notice),
      onRevoke: () => {},
      onLost: () => {},
    })
    const listening = `SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE 'LISTEN%'
      AND application_name = 'millrace' AND query LIKE '%' || $1`
    const [{ channel } = { channel: '' }] = await hand.query<{ channel: string }>(
      `SELECT 'millrace_' || left(encode(sha256($1::bytea), 'hex'), 32) AS channel`,
      [schema],
    )
    const pids = async (): Promise<number> => (await hand.query(listening, [channel])).length
    await expect.poll(pids, { timeout: 5_000 }).toBe(1)
    await hand.query(`SELECT pg_terminate_backend(pid) FROM (${listening}) listening`, [channel])
    await expect.poll(() => notices.map(({ code }) => code), { timeout: 5_000 }).toContain('CONNECTION_LOST')
    await open(url, schema).publish([event(1)])
    const stop = AbortSignal.timeout(2_000)
    let received: readonly Received[] = []
    while (received.length === 0 && !stop.aborted) {
      received = (await session.exchange({ settle: [], max: 1 })).received
      if (received.length === 0) await session.ready(stop)
    }
    expect(received).toHaveLength(1)
    await expect
      .poll(() => notices.map(({ message }) => message).join(), { timeout: 10_000 })
      .toContain('again')
    await expect.poll(pids, { timeout: 5_000 }).toBe(1)
  })
})

await describeWithServer('postgres-pooled', (url) => {
  test('behind a pooler that nothing is heard through it is told, and looked for new events often', async () => {
    const schema = newSchema()
    const notices: Notice[] = []
    const transport = open(url, schema, { pollInterval: hour })
    await transport.declare([spec('q')])
    const session = await transport.open('q', {
      lease: 30_000,
      order: false,
      clock: systemClock,
      notice: (notice) => notices.push(notice),
      onRevoke: () => {},
      onLost: () => {},
    })
    await expect
      .poll(() => notices, { timeout: 10_000 })
      .toMatchObject([
        { code: 'WAKE_UP_DEGRADED', queue: 'q', message: expect.stringContaining('every 250 ms') },
      ])
    expect(await handle(session, 1)).toEqual([])
    const woken = session.ready(AbortSignal.timeout(5_000))
    await open(url, schema).publish([event(1)])
    await woken
    expect(await handle(session, 2)).toHaveLength(1)
  })
})
