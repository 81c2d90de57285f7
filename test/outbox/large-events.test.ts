import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { Inbox } from '../../src/conformance/apps.ts'
import { numbers } from '../../src/conformance/harness.ts'
import type { Received } from '../../src/contract/transport.ts'
import { createEvent, millrace, type MillraceEvent, type Transport } from '../../src/index.ts'
import { outboxQueue } from '../../src/publish/outbox-queue.ts'
import { faultyTransport } from '../faulty-transport.ts'
import { newSchema, open, sessionOn } from '../postgres/database.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { openShop } from './shop.ts'

const mebibyte = 1024 * 1024
const count = 120
const taken = 40
/** Milliseconds. */
const lease = 1_000

/** None of those that the relay took that dies has another of its key. */
const keyOf = (n: number): string => (n < taken ? `taken ${n}` : `k${n % 7}`)

const large = (): readonly MillraceEvent[] =>
  numbers(count).map((n) => createEvent('order.placed', `${n} `.padEnd(mebibyte - 2, 'x'), { key: keyOf(n) }))

/** The largest batch that a relay sends of these events, once it has sent all of them. */
async function largestRelayed(outbox: Transport): Promise<number> {
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
  for (const key of new Set(numbers(count).map(keyOf))) {
    const ofKey = (list: readonly number[]): readonly number[] => list.filter((n) => keyOf(n) === key)
    expect(ofKey(inbox.values)).toEqual(ofKey(numbers(count)))
  }
  return Math.max(...batches)
}

/** A relay takes the first events and dies; resolves when its lease has run out. */
async function relayThatDies(outbox: Transport): Promise<void> {
  await outbox.declare([outboxQueue])
  const session = await sessionOn(outbox, outboxQueue.name, lease, true)
  const keep: Received[] = []
  while (keep.length < taken)
    keep.push(...(await session.exchange({ settle: [], max: taken - keep.length })).received)
  await session.close({ keep })
  await expect
    .poll(() => outbox.admin.queues(), { timeout: 10 * lease })
    .toMatchObject([{ depth: count, inFlight: 0 }])
  await outbox.close()
}

const cases = [
  ['', async () => {}],
  [', some of it of a relay that has died', relayThatDies],
] as const

test.each(cases)(
  'a relay takes 32 MiB at a time out of an outbox on SQLite%s',
  { timeout: 60_000 },
  async (_, before) => {
    const shop = await openShop()
    const publisher = shop.app({ transport: faultyTransport({}), relay: false })
    await shop.transaction('COMMIT', (transaction) => publisher.publish(large(), { transaction }))
    await before(sqlite(shop.path))
    expect(await largestRelayed(sqlite(shop.path))).toBe(32)
  },
)

await describeWithServer('postgres', (url) => {
  test.each(cases)('and out of one on Postgres%s', { timeout: 60_000 }, async (_, before) => {
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
    await before(open(url, schema))
    expect(await largestRelayed(open(url, schema))).toBe(32)
  })
})
