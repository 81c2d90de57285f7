import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { memory } from '../adapters/memory/index.ts'
import { postgres } from '../adapters/postgres/index.ts'
import { sqlite } from '../adapters/sqlite/index.ts'
import { constant, createEvent, millrace, type Transport } from '../index.ts'
import { testing } from './index.ts'

/* Nobody answers at that address, and nobody could make that folder: whoever touched them would fail. */
const nowhere = 'postgres://u:p@127.0.0.1:1/db'
const noFile = join(tmpdir(), 'millrace-no-such-folder', 'shop.db')

/** What an app may have its transactions in. */
const places: Readonly<Record<string, () => { transport: Transport | string; outbox?: Transport }>> = {
  'an outbox on Postgres': () => ({
    transport: 'kafka://127.0.0.1:1',
    outbox: postgres(nowhere) as Transport,
  }),
  'an outbox on SQLite': () => ({ transport: memory() as Transport, outbox: sqlite(noFile) as Transport }),
  'a transport on Postgres': () => ({ transport: postgres(nowhere) as Transport }),
  'a URL': () => ({ transport: nowhere }),
}

describe.each(Object.entries(places))('publishing in a transaction of %s', (_where, options) => {
  test('is handled in memory, and touches nothing else', async () => {
    const app = millrace({ ...options(), logger: false })
    app.queue('mail').on('order.placed', () => undefined)
    {
      await using t = await testing(app)
      await t.publish('order.placed', 1, { transaction: { of: 'the test' } })
      await t.idle()
      expect(t.published('order.placed')).toHaveLength(1)
      expect(t.handled('mail')).toHaveLength(1)
      expect((await app.queues()).map(({ name }) => name)).toEqual(['mail'])
    }
    expect(existsSync(noFile)).toBe(false)
  })
})

describe('a transactional queue', () => {
  const shop = () =>
    millrace({ transport: memory() as Transport, outbox: postgres(nowhere) as Transport, logger: false })

  test('publishes what its handler publishes when that has succeeded, once', async () => {
    const app = shop()
    app
      .queue('billing', { transactional: true, retry: { backoff: constant('1m') } })
      .on('order.placed', async ({ data }, { attempt, publish }) => {
        await publish('order.paid', { data, attempt })
        if (attempt === 1) throw new Error('declined')
      })
    app.queue('mail').on('order.paid', () => undefined)
    await using t = await testing(app)
    const orders = [1, 2].map((n) => createEvent('order.placed', n))
    await t.publish(orders)
    await t.idle()
    expect(t.published('order.paid')).toEqual([])
    await t.drain()
    const paid = [1, 2].map((data) => ({ data, attempt: 2 }))
    expect(t.published('order.paid').map(({ data }) => data)).toEqual(paid)
    expect(t.handled('mail').map(({ data }) => data)).toEqual(paid)
    // As in production, what comes again with the same id is not handled again.
    await t.publish(orders)
    await t.drain()
    expect(t.handled('mail')).toHaveLength(2)
  })

  test('has the transaction that the test gives', async () => {
    const written: unknown[] = []
    const transaction = { query: async (text: string) => void written.push(text) }
    const app = shop()
    app.queue('billing', { transactional: true }).on('order.placed', async (_event, ctx) => {
      await (ctx.transaction as typeof transaction).query('INSERT')
      await ctx.publish('order.paid', 1)
    })
    await using t = await testing(app, { transaction })
    await t.publish('order.placed', 1)
    await t.idle()
    expect(written).toEqual(['INSERT'])
    expect(t.published('order.paid')).toHaveLength(1)
  })
})

test('where the app has no transactions, it has none under test', async () => {
  const app = millrace({ transport: 'memory:', logger: false })
  await using t = await testing(app)
  await expect(t.publish('order.placed', 1, { transaction: {} })).rejects.toMatchObject({
    code: 'TRANSACTION_UNSUPPORTED',
  })
  const other = millrace({ transport: sqlite(noFile) as Transport, logger: false })
  other.queue('billing', { transactional: true }).on('order.placed', () => undefined)
  await expect(testing(other)).rejects.toMatchObject({ code: 'TRANSACTION_UNSUPPORTED' })
})
