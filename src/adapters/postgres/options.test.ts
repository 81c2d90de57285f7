import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  event,
  handleAll,
  handOn,
  newSchema,
  noticingOn,
  open,
  sessionOn,
  spec,
} from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { postgres, type PostgresOptions } from './index.ts'

describe('postgres()', () => {
  test.each<[PostgresOptions, string]>([
    [{ max: 0 }, '`max`'],
    [{ max: Number.NaN }, '`max`'],
    [{ migrate: 'yes' as 'auto' }, '`migrate`'],
    [{ wake: 'never' as 'both' }, '`wake`'],
    [{ retention: 'long' as '7d' }, '`retention`'],
    [{ pollInterval: -1 }, '`pollInterval`'],
    [{ pool: {} as Pool }, '`pool`'],
  ])('%j is refused', (options, name) => {
    const refusal = { code: 'INVALID_OPTION', message: expect.stringContaining(name) }
    expect(() => postgres(options)).toThrow(expect.objectContaining(refusal))
  })

  test.each(['postgres://u:s3cret@h:port/db', 'postgres://u:s3/cret?@[h/db', 's3cret'])(
    'a URL that is none is refused without its password: %s',
    (url) => {
      expect(() => postgres(url)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
      expect(() => postgres(url)).not.toThrow('cret')
    },
  )

  test('what does not answer is TRANSPORT_UNREACHABLE, and nothing was taken', async () => {
    await using transport = postgres('postgres://u:s3cret@127.0.0.1:1/db?schema=a')
    const failure = transport.publish([event(1)])
    await expect(failure).rejects.toMatchObject({
      code: 'TRANSPORT_UNREACHABLE',
      results: ['rejected'],
      retryable: true,
      message: expect.stringContaining('127.0.0.1:1'),
    })
    await expect(failure).rejects.not.toThrow('cret')
  })
})

await describeWithServer('postgres', (url) => {
  test('a login that is refused is LOGIN_REFUSED; a database that is not there is not reached', async () => {
    const [role, nowhere] = [new URL(url), new URL(url)]
    role.username = 'nobody'
    nowhere.pathname = '/nowhere'
    await expect(open(role.href, 'a').declare([])).rejects.toMatchObject({ code: 'LOGIN_REFUSED' })
    await expect(open(nowhere.href, 'a').declare([])).rejects.toMatchObject({ code: 'TRANSPORT_UNREACHABLE' })
  })

  test('the parameters of a URL: ours, and those of pg', async () => {
    const schema = newSchema()
    const transport = postgres(`${url}?schema=${schema}&retention=30d&max=3&application_name=${schema}`)
    onTestFinished(() => transport.close())
    expect(transport.features.retention).toContain('30 d')
    await transport.declare([spec('mail')])
    const sessions = 'SELECT 1 FROM pg_stat_activity WHERE application_name = $1'
    expect(await handOn(url).query(sessions, [schema])).not.toEqual([])
    expect(await handOn(url).query(`SELECT name FROM ${schema}.queues`)).toEqual([{ name: 'mail' }])
  })

  test("the user's pool, with parsers of his own, serves and stays open", async () => {
    const schema = newSchema()
    const pool = new Pool({ connectionString: url, max: 3, types: { getTypeParser: () => String } })
    onTestFinished(() => pool.end())
    const transport = postgres({ pool, schema })
    await transport.declare([spec('mail')])
    await transport.publish([event(1), event(2)])
    expect(await handleAll(transport, 'mail')).toHaveLength(2)
    expect(await transport.admin.queues()).toMatchObject([{ name: 'mail', depth: 0 }])
    await transport.close()
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: '1' }])
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  test('a pool that the user has exhausted is told, and serves again', { timeout: 30_000 }, async () => {
    const pool = new Pool({ connectionString: url, max: 1 })
    onTestFinished(() => pool.end())
    await using transport = postgres({ pool, schema: newSchema() })
    await transport.declare([])
    const mine = await pool.connect()
    await expect(transport.publish([event(1)])).rejects.toMatchObject({
      code: 'TRANSPORT_UNREACHABLE',
      results: ['rejected'],
      retryable: true,
      message: expect.stringContaining('all of the pool are in use'),
    })
    mine.release()
    await transport.publish([event(1)])
    expect(pool.idleCount).toBe(1)
  })

  test('whoever closes it a second time waits for the end, too', async () => {
    const transport = open(url, newSchema())
    await transport.declare([spec('mail')])
    await sessionOn(transport, 'mail')
    let isClosed = false
    const first = transport.close().then(() => (isClosed = true))
    await transport.close()
    await Promise.race([first, Promise.resolve()])
    expect(isClosed).toBe(true)
  })

  test('a pool of one connection publishes and handles, by looking for events', async () => {
    const pool = new Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 1_000 })
    onTestFinished(() => pool.end())
    await using transport = postgres({ pool, schema: newSchema() })
    await transport.declare([spec('mail')])
    const session = await sessionOn(transport, 'mail')
    await transport.publish([event(1)])
    expect((await session.exchange({ settle: [], max: 1 })).received).toHaveLength(1)
  })

  test('a role that does not wait for the disk is told so, and the features say it', async () => {
    const schema = newSchema()
    const transport = open(`${url}?options=-c%20synchronous_commit%3Doff`, schema)
    await transport.declare([spec('mail')])
    expect(transport.features.durable).toBe('process')
    const { session, notices } = await noticingOn(transport, 'mail')
    await session.close()
    expect(notices).toMatchObject([
      { code: 'DURABILITY_WEAK', queue: 'mail', message: expect.stringContaining('synchronous_commit=off') },
    ])
    const other = open(url, schema)
    await (await sessionOn(other, 'mail')).close()
    expect(other.features.durable).toBe('fsync')
  })
})

await describeWithServer('postgres-pooled', (url) => {
  test('behind a pooler that gives each transaction another connection, all that is asked is done', async () => {
    const schema = newSchema()
    const instances = [open(url, schema), open(url, schema)]
    await Promise.all(instances.map((transport) => transport.declare([spec('mail')])))
    for (let i = 0; i < 20; i++) {
      await Promise.all(instances.flatMap((one) => [one.publish([event(i)]), one.publish([event(i)])]))
    }
    expect(await instances[0]!.admin.queues()).toMatchObject([{ name: 'mail', depth: 80 }])
    expect(await handleAll(instances[1]!, 'mail')).toHaveLength(80)
  })
})
