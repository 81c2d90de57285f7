import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { postgres, type PostgresTransactions } from '../../src/adapters/postgres/index.ts'
import type { QueueSpec, Transport } from '../../src/contract/transport.ts'
import { encodeEvent } from '../../src/event/outgoing.ts'
import { createEvent, millrace, type App, type MillraceEvent } from '../../src/index.ts'
import { describeUnless, describeWithServer } from '../servers/describe-with-server.ts'
import { clients, type Client } from './clients.ts'
import { whyNoPrisma } from './prisma-client.ts'

/** What has a meaning for one client or another where it stands in a statement. */
const schema = 'a "schema" with $1, ? and {messages}'
const quoted = `"${schema.replaceAll('"', '""')}"`

const spec = (name: string, pattern = 'order.*', order = false): QueueSpec => ({
  name,
  subscriptions: [{ topic: 'order', pattern }],
  from: 'now',
  order,
})

interface Row {
  readonly queue: string
  readonly id: string
}

const noPrisma = await whyNoPrisma()

await describeWithServer('postgres', (url) => {
  const pool = new Pool({ connectionString: url })
  let transport: Transport<PostgresTransactions>
  let app: App

  beforeAll(async () => {
    await pool.query(`DROP SCHEMA IF EXISTS ${quoted} CASCADE`)
    await pool.query('CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY)')
    transport = postgres({ connectionString: url, schema })
    app = millrace({ transport, logger: false }) as unknown as App
    await transport.declare([spec('one'), spec('two', 'order.placed', true)])
  })
  beforeEach(async () => {
    await pool.query(`TRUNCATE ${quoted}.messages, ${quoted}.unrouted, orders`)
  })
  afterAll(async () => {
    await app.stop()
    await transport.close()
    await pool.end()
  })

  /** What the queues have, in its order. */
  async function waiting(): Promise<readonly string[]> {
    const sql = `SELECT q.name AS queue, m.id FROM ${quoted}.messages m JOIN ${quoted}.queues q ON q.id = m.queue ORDER BY q.name, seq`
    return (await pool.query<Row>(sql)).rows.map(({ queue, id }) => `${queue}: ${id}`)
  }
  const column = async (sql: string): Promise<readonly unknown[]> =>
    (await pool.query<{ value: unknown }>(sql)).rows.map(({ value }) => value)
  const unrouted = (): Promise<readonly unknown[]> =>
    column(`SELECT id AS value FROM ${quoted}.unrouted ORDER BY seq`)
  const orders = (): Promise<readonly unknown[]> => column('SELECT id AS value FROM orders ORDER BY id')
  const event = (id: string, type = 'order.placed'): MillraceEvent => createEvent(type, { id }, { id })

  for (const [name, open] of Object.entries(clients)) {
    const missing = name === 'prisma' ? noPrisma : undefined
    describeUnless(missing, `a transaction of ${name}`, () => testsOf(name, open))
  }

  function testsOf(name: string, open: (url: string) => Promise<Client>): void {
    let client: Client
    beforeAll(async () => {
      client = await open(url)
    }, 180_000)
    afterAll(() => client[Symbol.asyncDispose]())

    test('sends what was published in it when it commits, in one statement, and nothing before', async () => {
      await client.transaction(async (tx) => {
        await tx.run("INSERT INTO orders VALUES ('7')")
        await app.publish([event('a'), event('b', 'order.paid')], { transaction: tx.transaction })
        expect(await waiting()).toEqual([])
      })
      expect(await waiting()).toEqual(['one: a', 'one: b', 'two: a'])
      expect(await column(`SELECT count(DISTINCT taken)::int AS value FROM ${quoted}.messages`)).toEqual([1])
      expect(await orders()).toEqual(['7'])
    })

    test('leaves nothing when it is rolled back', async () => {
      const failing = client.transaction(async (tx) => {
        await tx.run("INSERT INTO orders VALUES ('7')")
        await app.publish([event('a'), event('u', 'other.type')], { transaction: tx.transaction })
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      expect([await waiting(), await unrouted(), await orders()]).toEqual([[], [], []])
    })

    test('keeps the order of the calls, also if they are not awaited one by one', async () => {
      await client.transaction(async (tx) => {
        const options = { transaction: tx.transaction }
        await app.publish(event('a', 'order.paid'), options)
        await Promise.all(
          ['b', 'c', 'd', 'e'].map((id) =>
            app.publish([event(id, 'order.paid'), event(`${id}2`, 'order.paid')], options),
          ),
        )
      })
      expect(await waiting()).toEqual(
        ['a', 'b', 'b2', 'c', 'c2', 'd', 'd2', 'e', 'e2'].map((id) => `one: ${id}`),
      )
    })

    test('has an id once for each queue, however often it is published', async () => {
      for (let i = 0; i < 2; i++) {
        await client.transaction(async (tx) => {
          const options = { transaction: tx.transaction }
          await app.publish([event('a'), event('a')], options)
          await app.publish(event('a'), options)
        })
      }
      await app.publish(event('a'))
      expect(await waiting()).toEqual(['one: a', 'two: a'])
    })

    test('gives up to a savepoint what was published behind it', async () => {
      await client.transaction(async (tx) => {
        await app.publish(event('a', 'order.paid'), { transaction: tx.transaction })
        const inner = tx.savepoint(async ({ transaction }) => {
          await app.publish([event('b', 'order.paid'), event('u', 'other.type')], { transaction })
          throw new Error('back')
        })
        await expect(inner).rejects.toThrow('back')
        await tx.savepoint(({ transaction }) => app.publish(event('c', 'order.paid'), { transaction }))
      })
      expect(await waiting()).toEqual(['one: a', 'one: c'])
      expect(await unrouted()).toEqual([])
    })

    test('keeps events without a queue', async () => {
      await client.transaction((tx) =>
        app.publish([event('u', 'other.type'), event('a', 'order.paid'), event('v', 'other.type')], {
          transaction: tx.transaction,
        }),
      )
      expect([await waiting(), await unrouted()]).toEqual([['one: a'], ['u', 'v']])
    })

    test('is not harmed by what is refused', async () => {
      await client.transaction(async (tx) => {
        await tx.run("INSERT INTO orders VALUES ('7')")
        const refused = { name: 'PublishError', results: ['rejected', 'rejected'] }
        const events = ['a', 'nul \u0000'].map((id) => ({ ...encodeEvent(event('a')), id }))
        await expect(transport.publish(events, { transaction: tx.transaction })).rejects.toMatchObject({
          ...refused,
          code: 'INVALID_EVENT',
          retryable: false,
        })
        await expect(
          app.publish([event('a'), event('b')], {
            transaction: tx.transaction,
            signal: AbortSignal.abort(),
          }),
        ).rejects.toMatchObject({ ...refused, code: 'PUBLISH_ABORTED', retryable: true })
        await app.publish(event('b', 'order.paid'), { transaction: tx.transaction })
      })
      expect([await waiting(), await orders()]).toEqual([['one: b'], ['7']])
    })

    test('that fails tells what the server says, and goes back as its client does', async () => {
      const failing = client.transaction(async (tx) => {
        await tx.run('SET TRANSACTION READ ONLY')
        await app.publish([event('a'), event('b')], { transaction: tx.transaction })
      })
      await expect(failing).rejects.toMatchObject({
        name: 'PublishError',
        code: 'STORE_READ_ONLY',
        message: expect.stringMatching(
          /can only be rolled back: cannot execute SELECT FOR SHARE in a read-only transaction$/,
        ),
        results: ['rejected', 'rejected'],
        retryable: false,
        cause: expect.any(Error),
      })
      expect(await waiting()).toEqual([])
    })

    test('carries any data, attributes and dates', async () => {
      const text = `it's "$1" \\ ? :name {messages} \u{1F600}\n${'x'.repeat(1_000)}`
      const soon = new Date(Date.now() + 3_600_000)
      await client.transaction((tx) =>
        app.publish(
          [
            createEvent(
              'order.paid',
              { text },
              { id: text.slice(0, 40), key: 'k?', subject: text.slice(0, 40) },
            ),
            createEvent('order.paid', Uint8Array.of(0, 255, 128), { id: 'bytes', deliverAt: soon }),
            createEvent('order.paid', 'nul \u0000', { id: 'nul', deliverAt: new Date(1) }),
          ],
          { transaction: tx.transaction },
        ),
      )
      const { rows } = await pool.query(
        `SELECT id, key, data, bytes, due, head::json ->> 'subject' AS subject FROM ${quoted}.messages ORDER BY seq`,
      )
      expect(rows).toEqual([
        {
          id: text.slice(0, 40),
          key: 'k?',
          data: JSON.stringify({ text }),
          bytes: null,
          due: null,
          subject: text.slice(0, 40),
        },
        { id: 'bytes', key: null, data: null, bytes: Buffer.of(0, 255, 128), due: soon, subject: null },
        { id: 'nul', key: null, data: JSON.stringify('nul \u0000'), bytes: null, due: null, subject: null },
      ])
    })

    test('counts a delay by the clock of the database, however wrong that of the publisher is', async () => {
      for (const off of [-3_600_000, 3_600_000]) {
        const made = { ...encodeEvent(event(`${off}`, 'order.paid')), deliverAt: Date.now() + off }
        await client.transaction((tx) =>
          transport.publish([{ ...made, delay: 60_000 }], { transaction: tx.transaction }),
        )
      }
      const late = `${quoted}.messages WHERE due = taken + interval '1 min' AND to_timestamp((head::json ->> 'deliverAt')::float8 / 1000) = date_trunc('milliseconds', due)`
      expect(await column(`SELECT id AS value FROM ${late}`)).toEqual(['-3600000', '3600000'])
    })

    test('reaches a queue that another process has declared meanwhile', async () => {
      await app.publish(event('a', 'order.paid'))
      const late = `late ${name}`
      await using other = postgres({ connectionString: url, schema })
      await client.transaction(async (tx) => {
        await tx.run('SELECT')
        await other.declare([spec(late, `order.${name.replaceAll(' ', '-')}`)])
        await app.publish(event('b', `order.${name.replaceAll(' ', '-')}`), { transaction: tx.transaction })
      })
      expect(await waiting()).toContain(`${late}: b`)
    })

    test('that looks at an earlier time reaches a queue that this process knows of', async () => {
      const late = `later ${name}`
      await client.transaction(async (tx) => {
        await tx.run('SELECT count(*) FROM orders')
        await transport.declare([spec(late, `order.${late.replaceAll(' ', '-')}`, true)])
        await app.publish(event('a', 'order.paid')) // by which it learns of the queue
        const options = { transaction: tx.transaction }
        await app.publish(
          createEvent(`order.${late.replaceAll(' ', '-')}`, 1, { id: 'b', key: 'k' }),
          options,
        )
      }, true)
      expect(await waiting()).toContain(`${late}: b`)
      expect(
        await column(`SELECT slot >= 0 AS value FROM ${quoted}.messages WHERE id = 'b' ORDER BY 1`),
      ).toContain(true)
    })

    test('is asked for where something else is passed, and nothing is published', async () => {
      for (const transaction of client.none) {
        await expect(app.publish(event('a'), { transaction })).rejects.toMatchObject({
          code: 'TRANSACTION_INVALID',
          message: expect.stringMatching(/ has none.* Pass /s),
          results: ['rejected'],
        })
      }
      expect(await waiting()).toEqual([])
    })
  }
})
