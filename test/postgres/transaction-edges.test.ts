import { Client, Pool } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { channelOf } from '../../src/adapters/postgres/channel.ts'
import { postgres } from '../../src/adapters/postgres/index.ts'
import type { PgTransaction } from '../../src/adapters/postgres/transactions/pg.ts'
import { millrace } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { signal } from '../signals.ts'
import { event, newSchema, open, spec } from './database.ts'

/* What one client is enough for. */

await describeWithServer('postgres', (url) => {
  const pool = new Pool({ connectionString: url })
  const schema = newSchema()
  let client: Client

  beforeAll(async () => {
    client = new Client(url)
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
  })

  /** A transport with a queue, and a transaction that goes back at the end. */
  async function begun(options: Parameters<typeof open>[2] = {}): Promise<ReturnType<typeof open>> {
    const transport = open(url, schema, options)
    await transport.declare([spec('q')])
    await client.query('BEGIN')
    onTestFinished(async () => void (await client.query('ROLLBACK')))
    return transport
  }
  const refusal = (message: RegExp): object => ({
    name: 'PublishError',
    code: 'TRANSACTION_INVALID',
    message: expect.stringMatching(message),
    results: ['rejected'],
  })

  test.each<[string, unknown]>([
    ['a text', 'BEGIN'],
    ['null', null],
    ['a plain object', {}],
    ['a promise of one', Promise.resolve({})],
    ['a function', () => {}],
  ])('%s is no transaction, and the message says what is', async (_what, transaction) => {
    const transport = open(url, schema)
    await expect(transport.publish([event(1)], { transaction })).rejects.toMatchObject(
      refusal(/It takes: .*pg after BEGIN.*postgres.*Kysely.*Drizzle.*Knex.*Prisma/),
    )
  })

  test('a client that has begun none is refused, and one whose transaction has failed', async () => {
    const transport = open(url, schema)
    const publish = (): Promise<void> => transport.publish([event(1)], { transaction: client })
    await expect(publish()).rejects.toMatchObject(refusal(/has begun none.*Pass a client of pg after BEGIN/))
    await client.query('BEGIN')
    await expect(client.query('SELECT 1 / 0')).rejects.toThrow('division by zero')
    // The client knows it only when the server has ended its answer, which is before the next statement goes.
    await expect(client.query('SELECT 1')).rejects.toThrow('is aborted')
    await expect(publish()).rejects.toMatchObject(refusal(/can only be rolled back/))
    await client.query('ROLLBACK')
  })

  test('the commit tells each queue once, a rollback tells nobody', async () => {
    const transport = await begun()
    const told: unknown[] = []
    client.on('notification', ({ channel, payload }) => told.push([channel, payload]))
    await client.query(`LISTEN "${channelOf(schema)}"`)
    await client.query('COMMIT; BEGIN')
    await transport.publish([event(1)], { transaction: client })
    await client.query('ROLLBACK; BEGIN')
    expect(told).toEqual([])
    await transport.publish([event(1), event(2)], { transaction: client })
    await transport.publish([event(3)], { transaction: client })
    expect(told).toEqual([])
    await client.query('COMMIT')
    await client.query(`UNLISTEN *`)
    const { rows } = await client.query<{ id: number }>(`SELECT id FROM ${schema}.queues WHERE name = 'q'`)
    expect(told).toEqual([[channelOf(schema), String(rows[0]?.id)]])
  })

  test('the commit wakes a consumer that only listens', async () => {
    const transport = await begun()
    const app = millrace({ transport: open(url, schema, { wake: 'notify' }), logger: false })
    const handled: unknown[] = []
    let wake = (): void => {}
    app.queue('woken').on('order.placed', ({ data }) => {
      handled.push(data)
      wake()
    })
    await app.start()
    onTestFinished(() => app.stop())
    // Each is found sooner or later without, too; not so many before the test's time is over.
    for (let n = 0; n < 20; n++) {
      const one = signal()
      wake = one.give
      await transport.publish([event(n)], { transaction: client })
      await client.query('COMMIT')
      await one.come
      await client.query('BEGIN')
    }
    expect(handled).toHaveLength(20)
  })

  test("with wake: 'interval' nobody is told: such a transaction can be prepared, for instance", async () => {
    const transport = await begun({ wake: 'interval' })
    const told: unknown[] = []
    client.on('notification', (message) => told.push(message))
    await client.query(`LISTEN "${channelOf(schema)}"`)
    await client.query('COMMIT; BEGIN')
    await transport.publish([event(1)], { transaction: client })
    await client.query('COMMIT')
    await client.query('UNLISTEN *')
    expect(told).toEqual([])
  })

  test('calls at the same time use the client one after another', async () => {
    const transport = await begun()
    const warnings: unknown[] = []
    const warned = (warning: unknown): void => void warnings.push(warning)
    process.on('warning', warned)
    let running = 0
    let most = 0
    const counting: PgTransaction = {
      escapeIdentifier: (text) => client.escapeIdentifier(text),
      async query(query) {
        most = Math.max(most, ++running)
        return client.query(query).finally(() => running--)
      },
    }
    await Promise.all([1, 2, 3].map((n) => transport.publish([event(n)], { transaction: counting })))
    process.off('warning', warned)
    expect({ most, warnings }).toEqual({ most: 1, warnings: [] })
  })

  test("needs no connection but the caller's, which may be the last of the transport's own pool", async () => {
    const single = new Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 1_000 })
    onTestFinished(() => single.end())
    await using transport = postgres({ pool: single, schema })
    await using other = postgres({ connectionString: url, schema })
    await transport.declare([spec('single')])
    const last = await single.connect()
    try {
      await last.query('BEGIN')
      await transport.publish([event(1)], { transaction: last })
      await other.declare([spec('declared meanwhile')])
      await transport.publish([event(2)], { transaction: last })
      await last.query('COMMIT')
    } finally {
      last.release()
    }
    const { rows } = await pool.query<{ name: string }>(
      `SELECT name FROM ${schema}.messages m JOIN ${schema}.queues q ON q.id = m.queue WHERE name IN ('single', 'declared meanwhile') ORDER BY 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual(['declared meanwhile', 'single', 'single'])
  })

  test('the server does not think it dear enough to compile', async () => {
    const transport = await begun()
    let cost = Number.NaN
    const explaining: PgTransaction = {
      escapeIdentifier: (text) => client.escapeIdentifier(text),
      async query(query) {
        const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: { 'Total Cost': number } }] }>({
          ...query,
          text: `EXPLAIN (FORMAT JSON) ${query.text}`,
        })
        cost = rows[0]!['QUERY PLAN'][0].Plan['Total Cost']
        return client.query(query)
      },
    }
    await transport.publish([event(1)], { transaction: explaining })
    expect(cost).toBeLessThan(10_000) // jit_above_cost is 100,000
  })

  test('a client whose rows say nothing is found out, and not asked for ever', async () => {
    const transport = await begun()
    const mute: PgTransaction = {
      escapeIdentifier: (text) => client.escapeIdentifier(text),
      query: async (query) => ({ rows: (await client.query(query)).rows.map(() => ({})) }),
    }
    await transport.publish([event(1)])
    await expect(transport.publish([event(1)], { transaction: mute })).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: expect.stringContaining('changes the rows'),
    })
  })

  test('tables that the transaction does not see are named', async () => {
    const transport = await begun()
    await client.query(`DROP TABLE ${schema}.unrouted`)
    await expect(transport.publish([event(1)], { transaction: client })).rejects.toMatchObject({
      code: 'MIGRATION_NEEDED',
      message: expect.stringMatching(/can only be rolled back: relation .*unrouted" does not exist/),
      cause: expect.objectContaining({ code: '42P01' }),
    })
  })
})
