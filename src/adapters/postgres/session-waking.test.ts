import { expect, test } from 'vitest'
import {
  event,
  handle,
  handOn,
  idsOf,
  newSchema,
  noticingOn,
  open,
  sessionOn,
  spec,
  take,
} from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import type { Received } from '../../contract/transport.ts'

const hour = 3_600_000

await describeWithServer('postgres', (url) => {
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
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const { session, notices } = await noticingOn(transport, 'q')
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
    const transport = open(url, schema, { pollInterval: hour })
    await transport.declare([spec('q')])
    const { session, notices } = await noticingOn(transport, 'q')
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
