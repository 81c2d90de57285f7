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
  take,
} from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { pause, systemClock } from '../../clock/clock.ts'
import type { Received, Session } from '../../contract/transport.ts'

const hour = 3_600_000

await describeWithServer('postgres', (url) => {
  test('many acknowledgements go beside the claim; if they fail, what it took comes again', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(`${url}?application_name=${schema}`, schema)
    await transport.declare([spec('q', { order: true })])
    const session = await sessionOn(transport, 'q', 30_000, true)
    const events = Array.from({ length: 80 }, (_, n) => event(n, { key: `k${n % 8}` }))
    await transport.publish(events)
    const first: Received[] = []
    while (first.length < 40)
      first.push(...(await session.exchange({ settle: [], max: 40 - first.length })).received)
    const settle = first.map((of) => ({ of, as: 'ack' as const }))
    const waiting = `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`
    await hand.during(`SELECT FROM ${schema}.messages WHERE id = '${first[7]!.id}' FOR UPDATE`, async () => {
      const exchange = session.exchange({ settle, max: 40 })
      exchange.catch(() => {})
      await expect
        .poll(() => hand.query(`SELECT FROM ${schema}.messages WHERE lease IS NOT NULL`))
        .toHaveLength(80)
      await expect.poll(() => hand.query(waiting, [schema])).toHaveLength(1)
      await hand.query(`SELECT pg_terminate_backend(pid) FROM (${waiting}) w`, [schema])
      await expect(exchange).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    })
    expect(await session.settle(settle)).toBeUndefined()
    const again: Received[] = []
    while (again.length < 40)
      again.push(...(await session.exchange({ settle: [], max: 40 - again.length })).received)
    expect(again.map(({ data }) => Number(data))).toEqual(events.slice(40).map(({ data }) => Number(data)))
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

  test('what a transaction commits late comes before what is published after that, though much else was read meanwhile', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q', { order: true })])
    const session = await sessionOn(transport, 'q', 30_000, true)
    await handle(session, 1)
    const late = new Client(url)
    await late.connect()
    onTestFinished(() => late.end())
    await late.query('BEGIN')
    const [first, second] = [event(1, { key: 'k' }), event(2, { key: 'k' })]
    await transport.publish([first], { transaction: late })
    await transport.publish([event(3, { key: 'other' })])
    expect(await handle(session, 1)).toHaveLength(1)
    await late.query('COMMIT')
    await transport.publish([second])
    expect(idsOf(await handle(session, 2))).toEqual([first.id, second.id])
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
})
