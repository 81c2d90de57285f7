import { describe, expect, onTestFinished, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { Inbox } from '../../src/conformance/apps.ts'
import { ascending, numbers } from '../../src/conformance/harness.ts'
import { createEvent, millrace, type App, type DeadLetter, type MillraceEvent } from '../../src/index.ts'
import { encodeEvent } from '../../src/event/outgoing.ts'
import { numbered, openShop } from './shop.ts'

const outbox = 'millrace.outbox'

/** Everything that comes to a queue of the app, until there is so much. */
function everything(app: App, count: number): Inbox<MillraceEvent> {
  const inbox = new Inbox<MillraceEvent>(count)
  app.queue('all', { concurrency: 1 }).on('*', (event) => inbox.add(event))
  return inbox
}

async function inOutbox(app: App): Promise<object | undefined> {
  return (await app.queues()).find(({ name }) => name === outbox)
}

test('a commit sends what was published in the transaction, as it was published; a rollback leaves nothing', async () => {
  const shop = await openShop()
  const app = shop.app({ transport: memory(), source: '/shop' })
  const inbox = everything(app, 2)
  await app.start()
  shop.db.exec('CREATE TABLE shop_orders (id TEXT)')
  await shop.transaction('ROLLBACK', async (transaction) => {
    await app.publish('order.placed', 'never', { transaction })
  })
  const options = {
    key: 'k',
    subject: 's',
    correlationId: 'c',
    topic: 'elsewhere',
    extensions: { tenant: 7 },
  }
  await shop.transaction('COMMIT', async (transaction) => {
    shop.db.exec(`INSERT INTO shop_orders VALUES ('7')`)
    await app.publish('order.placed', { orderId: '7' }, { ...options, transaction })
    await app.publish([createEvent('order.paid', 'binary')], { transaction })
  })
  await inbox.full
  expect(inbox.values).toMatchObject([
    { type: 'order.placed', data: { orderId: '7' }, source: '/shop', ...options },
    { type: 'order.paid', data: 'binary', topic: 'order', source: '/shop' },
  ])
})

test('a delay is waited for by the transport, not by the outbox', async () => {
  const shop = await openShop()
  const app = shop.app({ transport: memory() })
  const inbox = everything(app, 1)
  await app.start()
  await shop.transaction('COMMIT', async (transaction) => {
    await app.publish('order.late', 1, { transaction, delay: '1h', key: 'k' })
    await app.publish('order.now', 2, { transaction, key: 'k' })
  })
  await inbox.full
  expect(inbox.values[0]?.type).toBe('order.now')
  expect((await app.queues()).find(({ name }) => name === 'all')).toMatchObject({ delayed: 1 })
})

test('a process that only publishes relays from its first publish in a transaction on', async () => {
  const shop = await openShop()
  const transport = sqlite(`${shop.path}.events`)
  await transport.declare([
    { name: 'all', subscriptions: [{ topic: '*', pattern: '*' }], from: 'now', order: false },
  ])
  const publisher = shop.app({ transport })
  await shop.transaction('COMMIT', (transaction) => publisher.publish(numbered(3), { transaction }))
  const reader = shop.app({ transport: sqlite(`${shop.path}.events`), relay: false })
  const inbox = everything(reader, 3)
  await reader.start()
  await inbox.full
  expect(inbox.values.map(({ data }) => data)).toEqual([0, 1, 2])
})

test('a process that publishes and stops at once has sent what it committed', async () => {
  const shop = await openShop()
  const url = `sqlite:${shop.path}.events`
  for (let n = 0; n < 3; n++) {
    const publisher = shop.app({ transport: url })
    await shop.transaction('COMMIT', (transaction) => publisher.publish(numbered(300), { transaction }))
    await publisher.stop()
  }
  const reader = shop.app({ transport: url, relay: false })
  const inbox = new Inbox<MillraceEvent>(900)
  reader.queue('late', { from: 'beginning' }).on('*', (event) => inbox.add(event))
  await reader.start()
  await inbox.full
  expect(await inOutbox(reader)).toMatchObject({ depth: 0, inFlight: 0 })
})

test('with `relay: false` events wait in the outbox, where everybody sees them, until another process relays', async () => {
  const shop = await openShop()
  const app = shop.app({ transport: memory(), relay: false })
  await app.start()
  await shop.transaction('COMMIT', (transaction) => app.publish(numbered(3), { transaction }))
  expect(await inOutbox(app)).toMatchObject({ depth: 3, inFlight: 0 })
  const other = shop.app({ transport: memory() })
  const inbox = everything(other, 3)
  await other.start()
  await inbox.full
})

test('the first publish waits for no queue to be made, which may have to wait for the transaction', async () => {
  const shop = await openShop()
  const app = shop.app({ transport: memory() })
  const inbox = everything(app, 1)
  await shop.transaction('COMMIT', (transaction) => app.publish(numbered(1), { transaction }))
  await app.start()
  await inbox.full
})

test('several relays share the outbox: each event is sent once', async () => {
  const shop = await openShop()
  const transport = memory()
  const count = 2_000
  const first = shop.app({ transport, relay: false })
  await shop.transaction('COMMIT', (transaction) => first.publish(numbered(count), { transaction }))
  const inbox = everything(first, count)
  await first.start()
  // Closing them would close the transport that they share.
  const share = shareOf(transport)
  const relays = [1, 2, 3].map(() => shop.app({ transport: share }))
  await Promise.all(relays.map((app) => app.start()))
  await inbox.full
  expect(ascending(inbox.values.map(({ data }) => data as number))).toEqual(numbers(count))
  await Promise.all(relays.map((app) => app.stop()))
  expect(await inOutbox(first)).toMatchObject({ depth: 0, inFlight: 0, retrying: 0, dead: 0 })
})

async function allOf<T>(list: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const one of list) all.push(one)
  return all
}

function shareOf(transport: ReturnType<typeof memory>): typeof transport {
  return new Proxy(transport, {
    get: (target, name) => {
      const own: unknown = Reflect.get(target, name, target)
      if (name === 'close') return async () => {}
      return typeof own === 'function' ? (own.bind(target) as unknown) : own
    },
  })
}

describe('what cannot work is said at once', () => {
  test('an outbox without transactions', () => {
    expect(() => millrace({ transport: memory(), outbox: memory() })).toThrowError(
      expect.objectContaining({ code: 'OUTBOX_UNSUPPORTED' }),
    )
  })

  test('an outbox and a bridge', () => {
    const bridge = { publish: async () => {}, drain: async () => {}, close: async () => {} }
    expect(() => millrace({ transport: memory(), outbox: sqlite('never.db'), bridge })).toThrowError(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    )
  })

  test('a transaction that is none, or over', async () => {
    const shop = await openShop()
    const app = shop.app({ transport: memory() })
    await expect(app.publish('order.placed', 1, { transaction: shop.db })).rejects.toMatchObject({
      code: 'TRANSACTION_INVALID',
    })
    expect(await inOutbox(app)).toMatchObject({ depth: 0 })
  })

  test('an event that is too large for the transport', async () => {
    const shop = await openShop()
    const app = shop.app({ transport: memory() })
    await shop.transaction('COMMIT', async (transaction) => {
      const large = 'x'.repeat(64 * 1024 * 1024)
      await expect(app.publish('order.placed', large, { transaction })).rejects.toMatchObject({
        code: 'EVENT_TOO_LARGE',
      })
    })
    expect(await inOutbox(app)).toMatchObject({ depth: 0 })
  })

  test('names of millrace itself', async () => {
    const shop = await openShop()
    const app = shop.app({ transport: memory() })
    expect(() => app.queue(outbox)).toThrowError(expect.objectContaining({ code: 'INVALID_NAME' }))
    await expect(app.publish('order.placed', 1, { topic: outbox })).rejects.toMatchObject({
      code: 'INVALID_NAME',
    })
  })
})

test('the transport itself as its outbox needs no relay', async () => {
  const shop = await openShop()
  const transport = sqlite(shop.path)
  const app = shop.app({ transport, outbox: transport })
  const inbox = everything(app, 2)
  await app.start()
  await shop.transaction('COMMIT', (transaction) => app.publish(numbered(2), { transaction }))
  await inbox.full
  expect(await inOutbox(app)).toBeUndefined()
})

test('a dead letter of the outbox is heard of, found and sent again', async () => {
  const shop = await openShop()
  const app = shop.app({ transport: memory() })
  const letters = new Inbox<DeadLetter>(1)
  app.onDeadLetter((letter) => letters.add(letter))
  const inbox = everything(app, 2)
  await app.start()
  const store = sqlite(shop.path)
  onTestFinished(() => store.close())
  await shop.transaction('COMMIT', (transaction) => app.publish(numbered(1), { transaction }))
  const [broken] = numbered(1)
  const outgoing = { ...encodeEvent(broken!), topic: outbox }
  // As if it had been written by somebody who does not know better.
  await store.publish([{ ...outgoing, head: { ...outgoing.head, source: 7 as never } }])
  await letters.full
  expect(letters.values[0]).toMatchObject({ queue: outbox, error: { code: 'DECODE_FAILED' } })
  const found = await allOf(app.deadLetters(outbox).list())
  expect(found).toMatchObject([{ id: broken?.id, attempts: 1 }])
  expect(await inOutbox(app)).toMatchObject({ dead: 1 })
  expect(app.log).toContainEqual(expect.stringContaining(`${outbox} order.placed ${broken?.id}: dead letter`))
  expect(await app.deadLetters(outbox).redrive(broken!.id, { replace: broken! })).toBe(1)
  await inbox.full
  expect(inbox.values.map(({ id }) => id)).toContain(broken?.id)
})
