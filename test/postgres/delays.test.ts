import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import type { PostgresTransaction } from '../../src/adapters/postgres/index.ts'
import { Inbox } from '../../src/conformance/apps.ts'
import { encodeNew } from '../../src/event/outgoing.ts'
import { createEvent, millrace, type App, type AppOptions } from '../../src/index.ts'
import { millrace as command } from '../command.ts'
import { openShop } from '../outbox/shop.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { handOn, newSchema, open, sessionOn, spec, type Hand } from './database.ts'

const hour = 3_600_000

/** Until the end of the test, or until it is set right, the wall clock of this process is so far off. */
function setClockOff(by: number): () => void {
  const { now } = Date
  const setRight = (): void => void (Date.now = now)
  onTestFinished(setRight)
  Date.now = () => now() + by
  return setRight
}

interface Wait {
  readonly id: string
  /** How long after it was taken it is due, in milliseconds. */
  readonly wait: number | null
  /** The same by what stands in its head, cut to milliseconds. */
  readonly said: number | null
}

function waits(hand: Hand, schema: string, table = 'messages'): Promise<readonly Wait[]> {
  return hand.query(`SELECT id, (extract(epoch FROM due - taken) * 1000)::float8 AS wait,
    ((head::json ->> 'deliverAt')::float8 - floor(extract(epoch FROM taken) * 1000))::float8 AS said
    FROM ${schema}.${table} ORDER BY seq`)
}

function stopped(options: AppOptions): App {
  const app = millrace({ logger: false, ...options })
  onTestFinished(() => app.stop({ timeout: 0 }))
  return app
}

await describeWithServer('postgres', (url) => {
  test('`--delay` of the command is counted by the clock of the database', async () => {
    const hand = handOn(url)
    const schema = newSchema()
    await open(url, schema).declare([spec('mail')])
    const to = ['--id', 'a', '--delay', '1m', '--transport', `${url}?schema=${schema}`]
    expect(await command(['publish', 'order.placed', '{"n":1.0}', ...to])).toMatchObject({ exitCode: 0 })
    expect(await waits(hand, schema)).toEqual([{ id: 'a', wait: 60_000, said: 60_000 }])
  })

  describe.each([
    ['slow', -hour],
    ['fast', hour],
  ])('where the clock of the publisher is an hour %s', (_, off) => {
    test('`delay` is counted from the publish by the clock of the database, and `deliverAt` is a date', async () => {
      const hand = handOn(url)
      const schema = newSchema()
      const transport = open(url, schema)
      await transport.declare([spec('mail')])
      const app = stopped({ transport, source: '/shop' })
      const soon = new Date(Date.now() + 10_000)
      setClockOff(off)
      const made = createEvent('order.placed', 1, { id: 'made', delay: '1m' })
      await app.publish('order.placed', 1, { id: 'new', delay: 1_500.5 })
      await app.publish([
        made,
        { ...made, id: 'spread' },
        made.with({ id: 'changed', delay: '2m' }),
        made.with({ id: 'dated', deliverAt: soon }),
        { ...made, id: 'spread and dated', deliverAt: soon },
        made.with({ id: 'at once', delay: 0 }),
      ])
      const minute = 60_000
      const both = (ms: number): object => ({ wait: ms, said: ms })
      const date = { wait: expect.closeTo(10_000, -4), said: expect.closeTo(10_000, -4) }
      expect(await waits(hand, schema)).toEqual([
        { id: 'new', ...both(1_501) },
        { id: 'made', ...both(minute) },
        { id: 'spread', ...both(minute) },
        { id: 'changed', ...both(2 * minute) },
        { id: 'dated', ...date },
        { id: 'spread and dated', ...date },
        { id: 'at once', wait: null, said: 0 },
      ])
    })

    test('so is that of what has no queue yet, and of what takes the place of a dead letter', async () => {
      const hand = handOn(url)
      const schema = newSchema()
      const transport = open(url, schema)
      await transport.declare([spec('mail')])
      const session = await sessionOn(transport, 'mail')
      setClockOff(off)
      const delayed = (type: string) =>
        encodeNew(
          type,
          1,
          { id: type, delay: 5_000 },
          { source: '/', topicOf: () => type.split('.')[0]!, now: Date.now },
        )
      await transport.publish([delayed('other.type')])
      expect(await waits(hand, schema, 'unrouted')).toEqual([{ id: 'other.type', wait: 5_000, said: 5_000 }])
      await transport.publish([{ ...delayed('order.placed'), id: 'dead', deliverAt: undefined }])
      const [of] = (await session.exchange({ settle: [], max: 1 })).received
      const at = Date.now()
      const record = {
        error: { name: 'Error', message: 'no' },
        attempts: 1,
        firstFailedAt: at,
        deadAt: at,
        history: [],
      }
      await session.settle([{ of: of!, as: 'dead', record }])
      expect(await transport.admin.redrive('mail', ['dead'], delayed('order.placed'))).toBe(1)
      expect(await waits(hand, schema)).toEqual([{ id: 'order.placed', wait: 5_000, said: 5_000 }])
    })

    test('an outbox makes a date of it by the clock of its database', async () => {
      const schema = newSchema()
      const outbox = (): AppOptions => ({ transport: memory(), outbox: open(url, schema) })
      const publisher = stopped({ ...outbox(), relay: false })
      const relay = stopped(outbox())
      const began = performance.now()
      const setRight = setClockOff(off)
      await inTransaction(url, (transaction) =>
        publisher.publish('order.placed', 1, { transaction, delay: 1_500 }),
      )
      setRight()
      await expectAfter(1_500, began, relay)
    })

    test('an outbox on the machine of the publisher passes on what is left of it', async () => {
      const shop = await openShop()
      setClockOff(off)
      const app = shop.app({ transport: open(url, newSchema()) })
      const began = performance.now()
      await shop.transaction('COMMIT', (transaction) =>
        app.publish('order.placed', 1, { transaction, delay: 1_500 }),
      )
      await expectAfter(1_500, began, app)
    })
  })
})

async function inTransaction(
  url: string,
  work: (transaction: PostgresTransaction) => Promise<void>,
): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query('BEGIN')
  await work(client)
  await client.query('COMMIT')
  await client.end()
}

/** One event comes to the app, and not before so many milliseconds have passed. */
async function expectAfter(delay: number, began: number, app: App): Promise<void> {
  const inbox = new Inbox<number>(1)
  app.queue('all').on('*', () => inbox.add(performance.now()))
  await app.start()
  await inbox.full
  expect(inbox.values[0]! - began).toBeGreaterThanOrEqual(delay)
}
