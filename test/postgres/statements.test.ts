import { Client, Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import type { Settlement, Transport } from '../../src/contract/transport.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, handOn, newSchema, open, sessionOn, spec } from './database.ts'

/* What is sent to the server, word by word. */

/** Notes the statements of a client from now on. */
function noting(client: Pick<Client, 'query'>, into: string[]): void {
  const query = client.query.bind(client) as (...given: readonly unknown[]) => unknown
  const noted = (...given: readonly unknown[]): unknown => {
    const [first] = given as [string | { readonly text: string }]
    into.push(typeof first === 'string' ? first : first.text)
    return query(...given)
  }
  Object.assign(client, { query: noted })
}

const writes = (statements: readonly string[]): readonly string[] =>
  statements.filter((text) => /\b(INSERT INTO|UPDATE|DELETE FROM) \S+\.messages\b/.test(text))
const controls = (statements: readonly string[]): readonly string[] =>
  statements.filter((text) =>
    /^\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE)\b/i.test(text),
  )

await describeWithServer('postgres', (url) => {
  async function withTwoQueues(schema: string, pool?: Pool): Promise<Transport> {
    const transport = open(url, schema, { ...(pool && { pool }), wake: 'interval' })
    await transport.declare([spec('one'), spec('two')])
    await transport.publish([event('before')])
    return transport
  }

  test('an event for two queues is one statement, which is its own transaction', async () => {
    const schema = newSchema()
    const statements: string[] = []
    const pool = new Pool({ connectionString: url })
    onTestFinished(() => pool.end())
    pool.on('connect', (client) => noting(client, statements))
    const transport = await withTwoQueues(schema, pool)
    statements.length = 0
    await transport.publish([event(1, { id: 'e' }), event(2, { id: 'f' })])
    expect(writes(statements)).toEqual([expect.stringContaining('INSERT INTO')])
    expect(controls(statements)).toEqual([])
    const rows = await handOn(url).query<{ ids: string; queues: number }>(
      `SELECT string_agg(DISTINCT id, ' ') AS ids, count(DISTINCT queue)::int AS queues FROM ${schema}.messages
       WHERE id IN ('e', 'f') GROUP BY xmin::text`,
    )
    expect(rows).toEqual([{ ids: 'e f', queues: 2 }])
  })

  test("a caller's transaction is written into by one statement, and neither begun, committed nor rolled back", async () => {
    const schema = newSchema()
    const transport = (await withTwoQueues(schema)) as ReturnType<typeof open>
    const caller = new Client({ connectionString: url })
    await caller.connect()
    onTestFinished(() => caller.end())
    const state = async (): Promise<unknown> =>
      (await caller.query('SELECT now() AS began, pg_current_xact_id()::text AS id')).rows
    const there = async (): Promise<number> =>
      (await handOn(url).query(`SELECT 1 FROM ${schema}.messages WHERE id = 'e'`)).length
    await caller.query('BEGIN')
    // Its first one looks for what it may ask of such a client.
    await transport.publish([event(1)], { transaction: caller })
    const before = await state()
    const statements: string[] = []
    noting(caller, statements)
    await transport.publish([event(1, { id: 'e' })], { transaction: caller })
    expect(writes(statements)).toHaveLength(1)
    expect(controls(statements)).toEqual([])
    expect(await state()).toEqual(before)
    expect(await there()).toBe(0)
    await caller.query('COMMIT')
    expect(await there()).toBe(2)
  })

  test("a publish that fails leaves the end of the caller's transaction to the caller", async () => {
    const schema = newSchema()
    const transport = (await withTwoQueues(schema)) as ReturnType<typeof open>
    const caller = new Client({ connectionString: url })
    await caller.connect()
    onTestFinished(() => caller.end())
    await caller.query('BEGIN')
    await handOn(url).query(`ALTER TABLE ${schema}.messages ADD CHECK (id <> 'refused')`)
    const statements: string[] = []
    noting(caller, statements)
    const failure = transport.publish([event(1, { id: 'refused' })], { transaction: caller })
    // What the server said is there to be looked at.
    await expect(failure).rejects.toMatchObject({
      name: 'PublishError',
      results: ['rejected'],
      cause: { code: '23514', schema },
    })
    expect(controls(statements)).toEqual([])
    expect((await caller.query('COMMIT')).command).toBe('ROLLBACK')
  })

  test('to publish an event once more, by itself or in a transaction, changes nothing, in either queue', async () => {
    const schema = newSchema()
    const transport = (await withTwoQueues(schema)) as ReturnType<typeof open>
    const caller = new Client({ connectionString: url })
    await caller.connect()
    onTestFinished(() => caller.end())
    const all = (): Promise<readonly unknown[]> =>
      handOn(url).query(`SELECT ctid, xmin, * FROM ${schema}.messages ORDER BY queue, seq`)
    const sent = event('first', { id: 'e' })
    await transport.publish([sent])
    const before = await all()
    expect(before).toHaveLength(4)
    await transport.publish([sent])
    await caller.query('BEGIN')
    await transport.publish([event('second', { id: 'e' })], { transaction: caller })
    await caller.query('COMMIT')
    expect(await all()).toEqual(before)
  })

  test('events are acknowledged where they are, by the statement that claims; what was moved unheard, by another', async () => {
    const schema = newSchema()
    const statements: string[] = []
    const pool = new Pool({ connectionString: url })
    onTestFinished(() => pool.end())
    pool.on('connect', (client) => noting(client, statements))
    const transport = open(url, schema, { pool, wake: 'interval' })
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    await transport.publish([event(1), event(2), event(3)])
    const taken = await session.exchange({ settle: [], max: 3 })
    expect(taken.received).toHaveLength(3)
    const hand = handOn(url)
    const handled = async (settle: readonly Settlement[]): Promise<number> => {
      statements.length = 0
      expect((await session.exchange({ settle, max: 1 })).settled).toBeUndefined()
      return writes(statements).length
    }
    const [renewed, moved, untouched] = taken.received.map((of) => ({ of, as: 'ack' as const }))
    await session.extend([renewed!.of], 20_000)
    expect(await handled([renewed!, untouched!])).toBe(1)
    await hand.query(`UPDATE ${schema}.messages SET failures = 0`)
    expect(await handled([moved!])).toBe(2)
    expect(await hand.query(`SELECT id FROM ${schema}.messages`)).toEqual([])
  })
})
