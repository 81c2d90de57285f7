import { Client } from 'pg'
import { expect, test } from 'vitest'
import { describeWithPrivateServer } from './describe-with-server.ts'

async function connect(url: string) {
  const client = new Client({ connectionString: url })
  await client.connect()
  return { client, [Symbol.asyncDispose]: () => client.end() }
}

await describeWithPrivateServer('postgres-pooled', ({ url }) => {
  test('gives every transaction another session: who listens is lost to his own', async () => {
    await using one = await connect(url)
    await using other = await connect(url)
    await one.client.query('listen pooled')
    await other.client.query('begin')
    const channels = 'select pg_listening_channels() as channel'
    expect((await other.client.query(channels)).rows).toEqual([{ channel: 'pooled' }])
    expect((await one.client.query(channels)).rows).toEqual([])
    await other.client.query('unlisten pooled')
    await other.client.query('commit')
  })
})
