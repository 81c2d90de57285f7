import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { event, handOn, newSchema, open, spec } from '../../../test/postgres/database.ts'
import { describeWithPrivateServer, describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { testStore } from '../../conformance/index.ts'
import type { Store } from '../../contract/store.ts'
import { postgresLocks, postgresStore, type PgPool, type PostgresStoreOptions } from './index.ts'

for (const server of ['postgres', 'postgres-pooled'] as const) {
  await describeWithServer(server, (url) => {
    const store = (name: string): Store => postgresStore({ connectionString: url, schema: 'stores', name })
    testStore(server, {
      open: store,
      reopen: store,
      processes: {
        module: new URL('../../../test/processes/postgres-store.ts', import.meta.url),
        place: () => url,
      },
    })
  })
}

await describeWithServer('postgres', (url) => {
  /** Closed at the end of the test. */
  function storeIn(schema: string, options: PostgresStoreOptions = {}): Store {
    const store = postgresStore({ connectionString: url, schema, ...options })
    onTestFinished(() => store.close())
    return store
  }

  test('what is over leaves the table at a later put, whichever store of the schema it is of', async () => {
    const schema = newSchema()
    const before = storeIn(schema)
    await before.put('for good', 'value')
    await handOn(url).query(
      `INSERT INTO ${schema}.store (space, key, is_text, value, ends)
       SELECT 'another', int4send(n), true, '', now() + interval '1 hour' * (n % 2 * 2 - 1) FROM generate_series(1, 500) n`,
    )
    const after = storeIn(schema, { name: 'third' })
    await after.put('a', 'value')
    // A close waits for what is being removed; the rest is for the next time.
    await after.close()
    const left = await handOn(url).query<{ over: number; there: number }>(
      `SELECT count(*) FILTER (WHERE ends < now())::int AS over,
         count(*) FILTER (WHERE ends IS NULL OR ends > now())::int AS there FROM ${schema}.store`,
    )
    expect(left[0]!.over).toBeLessThanOrEqual(150)
    expect(left[0]!.there).toBe(252)
    for (let i = 0; i < 2; i++) {
      const again = storeIn(schema)
      await again.put('a', 'value')
      await again.close()
    }
    expect(await handOn(url).query(`SELECT 1 FROM ${schema}.store WHERE ends < now()`)).toEqual([])
  })

  test('what kept a put from being stored may be gone when it looks: then it is stored', async () => {
    const schema = newSchema()
    const pool = new Pool({ connectionString: url })
    onTestFinished(() => pool.end())
    await storeIn(schema).put('a', 'old')
    const hand = handOn(url)
    let [statements, deleteAt] = [0, Infinity]
    const between: PgPool = {
      connect: (callback) => {
        const isLook = ++statements === deleteAt
        void (isLook ? hand.query(`DELETE FROM ${schema}.store`) : Promise.resolve()).then(() =>
          pool.connect((error, connection) => callback(error, connection)),
        )
      },
    }
    const store = storeIn(schema, { pool: between })
    await store.get('b')
    deleteAt = statements + 2
    expect(await store.put('a', 'new', { ifAbsent: true })).toMatchObject({ stored: true })
    expect(statements).toBeGreaterThan(deleteAt)
    expect(await store.get('a')).toMatchObject({ value: 'new' })
  })

  test('a version that Postgres has never given is none, whatever is in it', async () => {
    const store = storeIn(newSchema())
    const result = await store.put('a', 'value')
    for (const ifVersion of ['', '0', '01', '-1', '1.0', 'a\u0000b', '\ud800', '9'.repeat(40)]) {
      expect(await store.put('a', 'x', { ifVersion })).toMatchObject({ stored: false })
      expect(await store.delete('a', { ifVersion })).toBe(false)
      expect(await store.touch('a', '1h', { ifVersion })).toBeUndefined()
    }
    expect(await store.get('a')).toEqual({ value: 'value', version: (result as { version: string }).version })
  })

  test('stores, locks and transports of one schema that is not there yet all start at once', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    const locks = postgresLocks({ connectionString: url, schema })
    onTestFinished(() => locks.close())
    const [one, other] = [storeIn(schema), storeIn(schema, { name: 'other' })]
    const [first, second, lock, report] = await Promise.all([
      one.put('a', 'of one'),
      other.put('a', 'of the other'),
      locks.tryAcquire('a'),
      transport.declare([spec('mail')]),
    ])
    expect([first.stored, second.stored, lock?.token, report.created]).toEqual([true, true, 1, ['mail']])
    await transport.publish([event(1)])
    expect(await one.get('a')).toMatchObject({ value: 'of one' })
    expect(await other.get('a')).toMatchObject({ value: 'of the other' })
  })

  test('a role that may use the tables needs no other right', async () => {
    const schema = newSchema()
    await storeIn(schema).get('a')
    await handOn(url).query(`CREATE ROLE ${schema} LOGIN PASSWORD 'secret';
      GRANT USAGE ON SCHEMA ${schema} TO ${schema};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${schema}`)
    const role = new URL(url)
    role.username = schema
    role.password = 'secret'
    const store = storeIn(schema, { connectionString: role.href, migrate: 'off' })
    for (const value of ['one', 'two']) expect(await store.put('a', value)).toMatchObject({ stored: true })
    await using locks = postgresLocks({ connectionString: role.href, schema })
    await (await locks.acquire('a')).release()
    expect((await locks.acquire('a')).token).toBeGreaterThan(1)
  })

  test("a pool of the user's stays open, and gets back all of its connections", async () => {
    const pool = new Pool({ connectionString: url, max: 1, types: { getTypeParser: () => String } })
    onTestFinished(() => pool.end())
    const store = storeIn(newSchema(), { pool })
    await Promise.all(['a', 'b', 'c'].map((key) => store.put(key, new Uint8Array([1, 2]))))
    expect(await store.get('b')).toEqual({ value: new Uint8Array([1, 2]), version: expect.any(String) })
    await store.close()
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: '1' }])
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
  })

  test('a server that does not wait for its disk is told by the features', async () => {
    const weak = `${url}?options=-c%20synchronous_commit%3Doff`
    const store = storeIn(newSchema(), { connectionString: weak })
    await using locks = postgresLocks({ connectionString: weak, schema: 'stores' })
    await store.get('a')
    await locks.tryAcquire('a')
    expect([store.features.durable, locks.features.durable]).toEqual(['process', 'process'])
    const other = storeIn(newSchema())
    await other.get('a')
    expect(other.features.durable).toBe('fsync')
  })
})

await describeWithPrivateServer('postgres', (server) => {
  test('a server that crashes has every entry and lock that it told, and goes on counting', async () => {
    await using store = postgresStore(server.url)
    await using locks = postgresLocks(server.url)
    const put = await Promise.all(
      Array.from({ length: 50 }, (_, i) => store.put(`key ${i}`, String(i), { ttl: '1h' })),
    )
    await (await locks.acquire('free')).release()
    const held = await locks.acquire('held', { ttl: '10m' })
    await server.stop('SIGKILL')
    await expect(store.get('key 1')).rejects.toMatchObject({
      code: expect.stringMatching(/LOST|UNREACHABLE/),
    })
    await server.start()
    await using after = postgresLocks(server.url)
    expect(await after.tryAcquire('held')).toBeUndefined()
    expect((await after.acquire('free')).token).toBeGreaterThan(held.token)
    for (const i of put.keys()) expect(await store.get(`key ${i}`)).toMatchObject({ value: String(i) })
    const again = await store.put('key 1', 'again')
    expect(put.map((result) => result.stored && Number(result.version))).toSatisfy((versions: number[]) =>
      versions.every((version) => version < Number(again.stored && again.version)),
    )
    held.signal.throwIfAborted()
    await held.release()
  })
})

test.each<[PostgresStoreOptions, string]>([
  [{ name: 'a b' }, 'INVALID_NAME'],
  [{ schema: 'pg_mine' }, 'INVALID_OPTION'],
  [{ max: 0 }, 'INVALID_OPTION'],
  [{ migrate: 'yes' as 'auto' }, 'INVALID_OPTION'],
])('%j is refused at once', (options, code) => {
  expect(() => postgresStore(options)).toThrow(expect.objectContaining({ code }))
  expect(() => postgresLocks(options)).toThrow(expect.objectContaining({ code }))
})

test('a URL may have what a transport needs; what does not answer is said', async () => {
  await using store = postgresStore('postgres://u:s3cret@127.0.0.1:1/db?schema=a&retention=30d')
  await expect(store.get('a')).rejects.toMatchObject({ code: 'TRANSPORT_UNREACHABLE' })
  await expect(store.get('a')).rejects.not.toThrow('cret')
})
