import { expect, onTestFinished, test } from 'vitest'
import { millrace } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { handOn, newSchema, open, spec } from './database.ts'

await describeWithServer('postgres', (url) => {
  test('events of a key have their places in the order of their publishes, though statements overlap', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const app = millrace({ transport, logger: false })
    onTestFinished(() => app.stop())
    const published: Promise<void>[] = []
    for (let n = 0; n < 6_000; n++) {
      const key = n % 150 === 0 ? 'busy' : `k${n}`
      published.push(app.publish('order.placed', n, { key }))
      if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(published)
    const rows = await handOn(url).query<{ n: number }>(
      `SELECT data::int AS n FROM ${schema}.messages WHERE key = 'busy' ORDER BY seq`,
    )
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 40 }, (_, n) => n * 150))
  })
})
