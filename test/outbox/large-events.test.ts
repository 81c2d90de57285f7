import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { Inbox } from '../../src/conformance/apps.ts'
import { numbers } from '../../src/conformance/harness.ts'
import { createEvent, millrace, type MillraceEvent, type Transport } from '../../src/index.ts'
import { faultyTransport } from '../faulty-transport.ts'
import { newSchema, open } from '../postgres/database.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { openShop } from './shop.ts'

const mebibyte = 1024 * 1024
const count = 100

const large = (): readonly MillraceEvent[] =>
  numbers(count).map((n) =>
    createEvent('order.placed', `${n} `.padEnd(mebibyte - 2, 'x'), { key: `k${n % 7}` }),
  )

/** What a relay sends of these events, batch by batch, once all of it has been sent in its order. */
async function relayed(outbox: Transport): Promise<readonly number[]> {
  const batches: number[] = []
  const transport = faultyTransport({
    publish(call, events, options) {
      batches.push(events.length)
      return call(events, options)
    },
  })
  const app = millrace({ transport, outbox, logger: false })
  onTestFinished(() => app.stop({ timeout: 0 }))
  const inbox = new Inbox<number>(count)
  app.queue('all', { concurrency: 1 }).on('*', ({ data }) => inbox.add(Number.parseInt(String(data), 10)))
  await app.start()
  await inbox.full
  expect(inbox.values).toEqual(numbers(count))
  return batches
}

test('a relay takes 32 MiB at a time out of an outbox on SQLite', { timeout: 60_000 }, async () => {
  const shop = await openShop()
  const publisher = shop.app({ transport: faultyTransport({}), relay: false })
  await shop.transaction('COMMIT', (transaction) => publisher.publish(large(), { transaction }))
  expect(Math.max(...(await relayed(sqlite(shop.path))))).toBe(32)
})

await describeWithServer('postgres', (url) => {
  test('and out of one on Postgres', { timeout: 60_000 }, async () => {
    const schema = newSchema()
    const publisher = millrace({
      transport: faultyTransport({}),
      outbox: open(url, schema),
      relay: false,
      logger: false,
    })
    onTestFinished(() => publisher.stop({ timeout: 0 }))
    const transaction = new Client({ connectionString: url })
    await transaction.connect()
    await transaction.query('BEGIN')
    await publisher.publish(large(), { transaction })
    await transaction.query('COMMIT')
    await transaction.end()
    expect(Math.max(...(await relayed(open(url, schema))))).toBe(32)
  })
})
