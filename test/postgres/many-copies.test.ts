import { Pool, type PoolClient } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../src/adapters/postgres/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, handOn, newSchema, spec } from './database.ts'

const mebibyte = 1024 * 1024

await describeWithServer('postgres', (url) => {
  test('a large event for many queues is sent in pieces, which are one commit', async () => {
    const schema = newSchema()
    const pool = new Pool({ connectionString: url })
    let largest = 0
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...of: unknown[]) => unknown
      client.query = ((sent: { readonly values?: readonly unknown[] }, ...more: unknown[]) => {
        const bytes = (sent.values ?? []).map((value) => (Buffer.isBuffer(value) ? value.length : 0))
        largest = Math.max(
          largest,
          bytes.reduce((sum, one) => sum + one, 0),
        )
        return query(sent, ...more)
      }) as PoolClient['query']
    })
    onTestFinished(() => pool.end())
    await using transport = postgres({ pool, schema, wake: 'interval' })
    const names = Array.from({ length: 10 }, (_, i) => `q${i}`)
    await transport.declare(names.map((name) => spec(name)))
    await transport.publish([event('x'.repeat(8 * mebibyte)), event('small')])
    expect(largest).toBeLessThan(33 * mebibyte)
    const rows = await handOn(url).query(
      `SELECT name, count(*)::int AS events, count(DISTINCT tx)::int AS commits
       FROM ${schema}.messages m JOIN ${schema}.queues q ON q.id = m.queue GROUP BY name ORDER BY name`,
    )
    expect(rows).toEqual(names.map((name) => ({ name, events: 2, commits: 1 })))
    const [commits] = await handOn(url).query(
      `SELECT count(DISTINCT tx)::int AS count FROM ${schema}.messages`,
    )
    expect(commits).toEqual({ count: 1 })
  })
})
