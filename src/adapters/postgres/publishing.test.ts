import { setTimeout } from 'node:timers/promises'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  event,
  handleAll,
  handOn,
  newSchema,
  open,
  sessionOn,
  spec,
} from '../../../test/postgres/database.ts'
import {
  describeWithPrivateServer,
  describeWithProxiedServer,
  describeWithServer,
} from '../../../test/servers/describe-with-server.ts'
import { postgres } from './index.ts'
import type { PublishError } from '../../contract/publish-error.ts'
import type { Received, Transport } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent, type Outgoing } from '../../event/outgoing.ts'

const numbersIn = (events: readonly { readonly data: unknown }[]): readonly number[] =>
  events.map(({ data }) => Number(data)).toSorted((a, b) => a - b)
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)

/** Publishes until the answer is that all are there. */
async function insist(
  transport: Transport,
  events: readonly Outgoing[],
  failures: PublishError[] = [],
): Promise<void> {
  for (;;) {
    try {
      return await transport.publish(events)
    } catch (error) {
      const failure = error as PublishError
      expect(failure).toMatchObject({ name: 'PublishError', retryable: true })
      failures.push(failure)
      await setTimeout(20)
    }
  }
}

await describeWithServer('postgres', (url) => {
  describe('what Postgres has no text for', () => {
    const withNul = { ...event(1), id: 'a\u0000b' }
    const lone = { ...event(2, { key: 'k' }), id: '\ud800' }
    const badKey = { ...event(3), key: 'k\u0000' }

    test('is refused by itself, and with it what stands behind it in its key', async () => {
      const transport = open(url, newSchema())
      await transport.declare([spec('mail')])
      const list = [event(0), withNul, lone, event(4, { key: 'k' }), event(5, { key: 'l' }), badKey, event(6)]
      await expect(transport.publish(list)).rejects.toMatchObject({
        code: 'INVALID_EVENT',
        retryable: false,
        results: ['taken', 'rejected', 'rejected', 'rejected', 'taken', 'rejected', 'taken'],
      })
      expect(numbersIn(await handleAll(transport, 'mail'))).toEqual([0, 5, 6])
    })
  })

  test('one id that several publish at once, in any order, is one event', { timeout: 60_000 }, async () => {
    const schema = newSchema()
    const instances = [open(url, schema), open(url, schema)]
    await instances[0]!.declare([spec('mail'), spec('audit')])
    const events = numbers(100).map((i) => event(i))
    const lists = [events, events.toReversed(), [...events.slice(50), ...events.slice(0, 50)]]
    await Promise.all(instances.flatMap((transport) => lists.map((list) => transport.publish(list))))
    expect(numbersIn(await handleAll(instances[0]!, 'mail'))).toEqual(numbers(100))
    expect(numbersIn(await handleAll(instances[0]!, 'audit'))).toEqual(numbers(100))
  })

  test('what is there already makes one statement fail, and no more for a while', async () => {
    const pool = new Pool({ connectionString: url })
    const failed: unknown[] = []
    pool.on('connect', (connection) => {
      const { query } = connection as unknown as { query: (...args: unknown[]) => unknown }
      const watched = (config: unknown, done?: (error: unknown, result: unknown) => void): unknown => {
        if (done === undefined) return query.call(connection, config)
        return query.call(connection, config, (error: { code?: unknown } | null, result: unknown) => {
          if (error !== null) failed.push(error.code)
          done(error, result)
        })
      }
      Object.assign(connection, { query: watched })
    })
    const transport = postgres({ pool, schema: newSchema() })
    onTestFinished(async () => {
      await transport.close()
      await pool.end()
    })
    await transport.declare([spec('mail')])
    const events = numbers(6).map((i) => event(i))
    await transport.publish(events.slice(0, 2))
    await transport.publish(events.slice(1, 4))
    for (const one of events) await transport.publish([one, one])
    expect(numbersIn(await handleAll(transport, 'mail'))).toEqual(numbers(6))
    expect(failed).toEqual(['23505'])
  })

  test('a queue that another process declares while this one publishes misses nothing from then on', async () => {
    const schema = newSchema()
    const [publisher, other] = [open(url, schema), open(url, schema)]
    await publisher.declare([spec('first')])
    const rounds = 20
    let round = -1
    let published = 0
    const began = new Map<number, number>()
    const done = new AbortController()
    const publishing = (async () => {
      while (!done.signal.aborted) {
        // What is called after a declare has resolved belongs into its queue.
        began.set(published, round)
        await publisher.publish([event(published++)])
      }
    })()
    for (let i = 0; i < rounds; i++) {
      await other.declare([spec(`queue-${i}`)])
      round = i
      const until = published + 3
      await expect.poll(() => published, { interval: 1 }).toBeGreaterThanOrEqual(until)
    }
    done.abort()
    await publishing
    for (let i = 0; i < rounds; i++) {
      const due = [...began].filter(([, at]) => at >= i).map(([n]) => n)
      expect(numbersIn(await handleAll(other, `queue-${i}`))).toEqual(expect.arrayContaining(due))
    }
  })

  test('what nobody subscribes to beside what somebody does is kept once, also with outdated routes', async () => {
    const schema = newSchema()
    const [publisher, other] = [open(url, schema), open(url, schema)]
    const some = [{ topic: 'order', pattern: 'order.placed' }]
    await publisher.publish([event(0)])
    await other.declare([spec('mail', { subscriptions: some })])
    await publisher.publish([event(1), { ...event(2), type: 'order.lost' }])
    await other.declare([spec('late', { from: 'beginning' })])
    expect(numbersIn(await handleAll(other, 'late'))).toEqual([0, 2])
    expect(numbersIn(await handleAll(other, 'mail'))).toEqual([1])
  })

  test('unrouted events whose time is over are gone', async () => {
    const schema = newSchema()
    const transport = open(url, schema, { retention: '1h' })
    const hand = handOn(url)
    await transport.declare([spec('mail')])
    await hand.query(
      `INSERT INTO ${schema}.unrouted (topic, id, type, head, taken)
       SELECT 'order', i::text, 'order.placed', '{}', now() - interval '2 h' FROM generate_series(1, 1200) i
       UNION ALL SELECT 'order', 'young', 'order.placed', '{}', now() - interval '30 min'`,
    )
    // Any publish will do: perhaps there is never again one that nobody subscribes to.
    await transport.publish([event(0)])
    const left = async (): Promise<unknown> => await hand.query(`SELECT id FROM ${schema}.unrouted LIMIT 2`)
    await expect.poll(left).toEqual([{ id: 'young' }])
  })

  test('of events that leave together each keeps its own type and attributes', async () => {
    const transport = open(url, newSchema())
    await transport.declare([spec('mail')])
    const kinds = ['placed', 'paid', 'placed', 'paid', 'placed'].map(
      (what, i) => [`order.${what}`, `s${i % 3}`] as const,
    )
    await transport.publish(kinds.map(([type, subject]) => encodeEvent(createEvent(type, 1, { subject }))))
    const taken = await handleAll(transport, 'mail')
    expect(taken.map(({ type, head }) => [type, head.subject])).toEqual(kinds)
  })

  test('more than one statement holds is published in several', async () => {
    const transport = open(url, newSchema())
    await transport.declare([spec('mail')])
    const large = 'x'.repeat(12_000_000)
    await transport.publish(numbers(4).map(() => event(large)))
    await transport.publish(numbers(11_000).map((i) => event(i)))
    const session = await sessionOn(transport, 'mail')
    const first: Received[] = []
    while (first.length < 4)
      first.push(...(await session.exchange({ settle: [], max: 4 - first.length })).received)
    expect(first.map(({ data }) => data.length)).toEqual(numbers(4).map(() => large.length + 2))
    await session.settle(first.map((of) => ({ of, as: 'ack' })))
    await session.close()
    expect(numbersIn(await handleAll(transport, 'mail'))).toEqual(numbers(11_000))
  })

  test('connections that are ended by an operator end no process and lose nothing', async () => {
    const name = newSchema()
    const transport = open(`${url}?application_name=${name}`, name)
    await transport.declare([spec('mail')])
    const hand = handOn(url)
    let last = 0
    for (let i = 0; i < 10; i++) {
      const sent = Promise.all(numbers(5).map(() => insist(transport, [event(last++)])))
      await hand.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
        name,
      ])
      await sent
    }
    expect(numbersIn(await handleAll(transport, 'mail'))).toEqual(numbers(50))
  })
})

await describeWithPrivateServer('postgres', (server) => {
  test(
    'a server that is killed and comes back has all that was taken, and each event once',
    { timeout: 60_000 },
    async () => {
      const transport = open(server.url, newSchema())
      await transport.declare([spec('mail')])
      const failures: PublishError[] = []
      const enough = new AbortController()
      const streams = numbers(8).map(async (stream) => {
        let n = 0
        for (; !enough.signal.aborted || n < 100; n++)
          await insist(transport, [event(stream * 1e6 + n)], failures)
        return numbers(n).map((i) => stream * 1e6 + i)
      })
      await server.stop('SIGKILL')
      await expect.poll(() => failures.length, { timeout: 10_000 }).toBeGreaterThan(0)
      await server.start()
      enough.abort()
      const all = (await Promise.all(streams)).flat()
      const codes = new Set<string>(failures.map(({ code }) => code))
      codes.delete('CONNECTION_LOST')
      codes.delete('TRANSPORT_UNREACHABLE')
      expect([...codes]).toEqual([])
      expect(numbersIn(await handleAll(transport, 'mail'))).toEqual(all.toSorted((a, b) => a - b))
    },
  )
})

await describeWithProxiedServer('postgres', ({ url, proxy }) => {
  test('what was under way when the connection broke is of unknown outcome; what found none is not taken', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('mail')])
    const hand = handOn(url)
    const sent = event(1)
    const outcome = hand.during(`LOCK TABLE ${schema}.messages`, async () => {
      const publishing = transport.publish([sent])
      publishing.catch(() => {})
      const waiting = async (): Promise<unknown> =>
        await hand.query(
          `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '${schema}.messages'::regclass`,
        )
      await expect.poll(waiting).toHaveLength(1)
      proxy.cut()
      await publishing
    })
    await expect(outcome).rejects.toMatchObject({
      results: ['unknown'],
      retryable: true,
      code: 'CONNECTION_LOST',
    })
    await expect(transport.publish([event(2)])).rejects.toMatchObject({
      results: ['rejected'],
      retryable: true,
    })
    proxy.resume()
    await transport.publish([sent, event(3)])
    expect(numbersIn(await handleAll(transport, 'mail'))).toEqual([1, 3])
  })
})
