import { Client, Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import { postgres, type PgHandlerTransaction } from '../../src/adapters/postgres/index.ts'
import { createEvent, constant, millrace, type App, type Transport } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { signal } from '../signals.ts'
import { newSchema } from './database.ts'

/** Gives up a handler soon, and tries again at once. */
const hasty = {
  transactional: true,
  concurrency: 1,
  maxHandling: '200ms',
  lease: '1s',
  retry: { backoff: constant(1) },
} as const

await describeWithServer('postgres', (url) => {
  const client = new Client({ connectionString: url })
  const shop = newSchema()

  beforeAll(async () => {
    await client.connect()
    await client.query(`CREATE SCHEMA ${shop}; CREATE TABLE ${shop}.invoices (id text, attempt int)`)
  })
  afterAll(() => client.end())

  const invoices = async (id: string): Promise<readonly number[]> => {
    const { rows } = await client.query(`SELECT attempt FROM ${shop}.invoices WHERE id = $1 ORDER BY 1`, [id])
    return (rows as readonly { readonly attempt: number }[]).map(({ attempt }) => attempt)
  }

  function started<A extends Pick<App, 'stop'>>(app: A): A {
    onTestFinished(() => app.stop({ timeout: 0 }))
    return app
  }

  /** On Postgres alone, or with another transport and Postgres as its outbox. */
  const places: Readonly<Record<string, () => Parameters<typeof millrace>[0]>> = {
    'on postgres': () => ({ transport: postgres({ connectionString: url, schema: newSchema(), max: 6 }) }),
    'with an outbox': () => ({
      transport: memory() as Transport,
      outbox: postgres({ connectionString: url, schema: newSchema(), max: 6 }),
    }),
  }

  test.each(Object.entries(places))(
    '%s what a handler writes and publishes commits once, when it succeeds',
    async (where, options) => {
      const app = millrace({ ...options(), logger: false })
      onTestFinished(() => app.stop({ timeout: 0 }))
      const id = `${where} 1`
      const paid = signal<unknown>()
      const seen: unknown[] = []
      app
        .queue('billing', { transactional: true, concurrency: 4, retry: { backoff: constant(1) } })
        .on('order.placed', async (event, ctx) => {
          const transaction = ctx.transaction as PgHandlerTransaction
          await transaction.query(`INSERT INTO ${shop}.invoices VALUES ($1, $2)`, [id, ctx.attempt])
          await ctx.publish('order.paid', { attempt: ctx.attempt })
          if (ctx.attempt === 1) throw new Error('declined')
          // Whoever catches the error of a statement has lost the transaction all the same.
          if (ctx.attempt === 2) return void (await transaction.query('SELECT 1 / 0').catch(() => undefined))
          expect(event.data).toEqual({ id })
        })
      app.queue('mail').on('order.paid', (event) => {
        seen.push(event.data)
        paid.give(event.data)
      })
      await app.start()
      const order = createEvent('order.placed', { id })
      await app.publish(order)
      await paid.come
      expect(await invoices(id)).toEqual([3])
      // The same event again, as from a publisher who did not hear that it was taken: behind it comes another one.
      await app.publish(order)
      await app.publish('order.paid', 'last')
      while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve))
      await app.stop()
      expect(seen).toEqual([{ attempt: 3 }, 'last'])
      expect(await invoices(id)).toEqual([3])
    },
  )

  test('what a handler publishes without waiting is part of the commit; what comes after it is refused', async () => {
    const app = started(
      millrace({ transport: postgres({ connectionString: url, schema: newSchema() }), logger: false }),
    )
    const paid = signal()
    const late = signal<unknown>()
    app.queue('billing', { transactional: true, concurrency: 2 }).on('order.placed', async (_event, ctx) => {
      void ctx.publish('order.paid', 'in time')
      void paid.come.then(() => ctx.publish('order.paid', 'too late')).catch(late.give)
    })
    app.queue('mail').on('order.paid', () => paid.give())
    await app.start()
    await app.publish('order.placed', 1)
    await paid.come
    expect(await late.come).toMatchObject({ code: 'TRANSACTION_OVER' })
  })

  test('a transaction that cannot be begun is told, counts no attempt, and is begun later', async () => {
    const pool = new Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 100 })
    onTestFinished(() => pool.end())
    const app = started(
      millrace({
        transport: memory() as Transport,
        outbox: postgres({ pool, schema: newSchema() }),
        relay: false,
        logger: false,
      }),
    )
    const failed = signal<string>()
    const attempts: number[] = []
    app.onNotice(({ message }) => failed.give(message))
    app
      .queue('billing', { transactional: true, concurrency: 1 })
      .on('order.placed', (_event, { attempt }) => void attempts.push(attempt))
    await app.start()
    await app.publish('order.placed', 'before')
    await expect.poll(() => attempts, { timeout: 5_000 }).toEqual([1])
    const mine = await Promise.all([1, 2, 3, 4].map(() => pool.connect()))
    await app.publish('order.placed', 1)
    expect(await failed.come).toContain('No transaction could be begun')
    for (const connection of mine) connection.release()
    await expect.poll(() => attempts, { timeout: 5_000 }).toEqual([1, 1])
  })

  test.each(Object.entries(places))(
    '%s what a handler runs on its transaction after its end is refused, for its connection serves others then',
    async (where, options) => {
      const app = started(millrace({ ...options(), logger: false }))
      const [ended, refused] = [signal(), signal<readonly unknown[]>()]
      const insert = `INSERT INTO ${shop}.invoices VALUES ($1, 1)`
      const id = `${where} late`
      app.queue('billing', { transactional: true, concurrency: 2 }).on('order.placed', (_event, ctx) => {
        const transaction = ctx.transaction as unknown as PoolClient
        const late = async (): Promise<readonly unknown[]> => {
          await ended.come
          const byCallback = Promise.withResolvers<unknown>()
          transaction.query(insert, [id], byCallback.resolve)
          const byPromise = transaction.query(insert, [id]).catch((error: unknown) => error)
          const published = app.publish('order.paid', 1, { transaction }).catch((error: unknown) => error)
          return Promise.all([byPromise, byCallback.promise, published])
        }
        void late().then(refused.give)
      })
      await app.start()
      await app.publish('order.placed', 1)
      await expect
        .poll(async () => (await app.queues()).find(({ name }) => name === 'billing'))
        .toMatchObject({ depth: 0, inFlight: 0 })
      ended.give()
      const over = expect.objectContaining({ code: 'TRANSACTION_OVER' })
      // Who publishes in it may also see that none is open.
      const none = expect.objectContaining({ code: expect.stringMatching(/^TRANSACTION_(?:OVER|INVALID)$/) })
      expect(await refused.come).toEqual([over, over, none])
      expect(await invoices(id)).toEqual([])
    },
  )

  test.each(Object.entries(places))(
    '%s a handler that never ends loses its transaction with its event, and gives its connection back',
    async (where, options) => {
      const app = started(millrace({ ...options(), logger: false }))
      const done = signal()
      const id = `${where} stuck`
      let transaction: PgHandlerTransaction | undefined
      app.queue('billing', hasty).on('order.placed', async (_event, ctx) => {
        const own = ctx.transaction as PgHandlerTransaction
        await own.query(`INSERT INTO ${shop}.invoices VALUES ($1, $2)`, [id, ctx.attempt])
        if (ctx.attempt > 1) return done.give()
        transaction = own
        await new Promise(() => {})
      })
      await app.start()
      await app.publish('order.placed', 1)
      await done.come
      await expect.poll(() => invoices(id)).toEqual([2])
      await expect(transaction!.query('SELECT 1')).rejects.toMatchObject({ code: 'TRANSACTION_OVER' })
    },
  )

  test.each(Object.entries(places))(
    '%s a handler that is given up in a statement is retried at once: the statement is cancelled',
    async (where, options) => {
      const app = started(millrace({ ...options(), logger: false }))
      const [done, failed] = [signal(), signal<unknown>()]
      const id = `${where} asleep`
      app.queue('billing', hasty).on('order.placed', async (_event, ctx) => {
        const transaction = ctx.transaction as PgHandlerTransaction
        await transaction.query(`INSERT INTO ${shop}.invoices VALUES ($1, $2)`, [id, ctx.attempt])
        if (ctx.attempt > 1) return done.give()
        const asleep = transaction.query('SELECT pg_sleep(100)')
        asleep.catch(failed.give)
        // It waits behind that.
        await Promise.all([asleep, ctx.publish('order.paid', 1)])
      })
      await app.start()
      await app.publish('order.placed', 1)
      expect(await failed.come).toMatchObject({ code: '57014' })
      await done.come
      await expect.poll(() => invoices(id)).toEqual([2])
    },
    20_000,
  )

  test('a handler whose statement fails costs no connection: nothing is left to cancel', async () => {
    const pool = new Pool({ connectionString: url, max: 4 })
    onTestFinished(() => pool.end())
    const app = started(millrace({ transport: postgres({ pool, schema: newSchema() }), logger: false }))
    const done = signal()
    let broken = 0
    app
      .queue('billing', { transactional: true, concurrency: 1, retry: { backoff: constant(1) } })
      .on('order.placed', async (_event, ctx) => {
        if (ctx.attempt === 4) return done.give()
        const { query } = ctx.transaction as PgHandlerTransaction
        await query('SELECT 1 / $1::int', [0])
      })
    await app.start()
    pool.on('release', (error) => void (broken += Number(error)))
    await app.publish('order.placed', 1)
    await done.come
    expect(broken).toBe(0)
  })

  test.each(Object.entries(places))(
    '%s a handler that goes on at a stop keeps no connection, so that all are closed',
    async (where, options) => {
      const app = started(millrace({ ...options(), logger: false }))
      const begun = signal()
      const notices: string[] = []
      app.onNotice(({ code }) => notices.push(code))
      app
        .queue('billing', { transactional: true, concurrency: 1 })
        .on('order.placed', async (_event, ctx) => {
          await (ctx.transaction as PgHandlerTransaction).query(
            `INSERT INTO ${shop}.invoices VALUES ($1, 1)`,
            [where],
          )
          begun.give()
          await new Promise(() => {})
        })
      await app.start()
      await app.publish('order.placed', 1)
      await begun.come
      await app.stop({ timeout: 10 })
      expect(notices).toEqual(['HANDLER_STUCK'])
      expect(await invoices(where)).toEqual([])
    },
  )

  test('a handler that releases its client does not give its connection to others', async () => {
    const pool = new Pool({ connectionString: url, max: 4 })
    onTestFinished(() => pool.end())
    const app = started(millrace({ transport: postgres({ pool, schema: newSchema() }), logger: false }))
    const paid = signal<unknown>()
    let lent: PoolClient | undefined
    app.queue('billing', { transactional: true, concurrency: 1 }).on('order.placed', async (_event, ctx) => {
      const mine = ctx.transaction as unknown as PoolClient
      lent = mine
      await mine.query(`INSERT INTO ${shop}.invoices VALUES ('released', 1)`)
      mine.release()
      mine.release(true)
      // Whoever gets a connection now must not get this one.
      const others = await Promise.all([pool.connect(), pool.connect()])
      for (const other of others) {
        await other.query('ROLLBACK')
        other.release()
      }
      const managed = { code: 'TRANSACTION_MANAGED' }
      await expect(mine.connect()).rejects.toMatchObject(managed)
      await expect((mine as unknown as Client).end()).rejects.toMatchObject(managed)
      await ctx.publish('order.paid', 'published')
      // As one does who wraps it to log what it runs, and forgets that others come after.
      const value = (): Promise<never> => Promise.reject(new Error('replaced by a handler'))
      mine.query = value
      await expect(mine.query('SELECT 1')).rejects.toThrow('replaced')
      Reflect.deleteProperty(mine, 'query')
      await mine.query('SELECT 1')
      Object.defineProperty(mine, 'query', { value, configurable: true })
      await expect(mine.query('SELECT 1')).rejects.toThrow('replaced')
    })
    app.queue('mail').on('order.paid', (event) => paid.give(event.data))
    await app.start()
    await app.publish('order.placed', 1)
    expect(await paid.come).toBe('published')
    expect(await invoices('released')).toEqual([1])
    await app.stop()
    // One of these is the one that was lent.
    const all = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()))
    lent!.release(true)
    Reflect.deleteProperty(lent!, 'query')
    await expect(lent!.query('SELECT 1')).rejects.toMatchObject({ code: 'TRANSACTION_OVER' })
    expect(() => lent!.escapeIdentifier('x')).toThrow(expect.objectContaining({ code: 'TRANSACTION_OVER' }))
    expect(pool.idleCount).toBe(0)
    for (const one of all) {
      expect(await one.query('SELECT 1')).toMatchObject({ rowCount: 1 })
      one.release()
    }
  })

  test('a pool with too few connections is refused at the start, and so is a batch', async () => {
    const pool = new Pool({ connectionString: url, max: 6 })
    onTestFinished(() => pool.end())
    // Of a pool of the user's one connection listens; of a pool of ours one more than `max` does.
    for (const [options, needs] of [
      [{ connectionString: url, max: 5 }, 'needs 6; it has 5'],
      [{ pool }, 'needs 7; it has 6'],
    ] as const) {
      const small = (): ReturnType<typeof postgres> => postgres({ ...options, schema: newSchema() })
      for (const on of [{ transport: small() }, { transport: memory() as Transport, outbox: small() }]) {
        const few = started(millrace({ ...on, logger: false }))
        few.queue('billing', { transactional: true, concurrency: 2 }).on('order.placed', () => {})
        few.queue('mail', { transactional: true, concurrency: 2 }).on('order.placed', () => {})
        await expect(few.start()).rejects.toMatchObject({
          code: 'INVALID_OPTION',
          message: expect.stringContaining(needs),
        })
      }
    }
    const enough = started(
      millrace({ transport: postgres({ pool, schema: newSchema(), wake: 'interval' }), logger: false }),
    )
    enough.queue('billing', { transactional: true, concurrency: 4 }).on('order.placed', () => {})
    await enough.start()
    await enough.stop()
    const batches = started(
      millrace({ transport: postgres({ connectionString: url, schema: newSchema() }), logger: false }),
    )
    batches.queue('billing', { transactional: true }).onBatch('order.placed', {}, () => {})
    await expect(batches.start()).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('the types: publish takes six clients, handlers get one', () => {
    const app = millrace({ transport: postgres(url) })
    app.queue('q', { transactional: true }).on('a.b', (_event, ctx) => {
      expectTypeOf(ctx.transaction).toEqualTypeOf<PgHandlerTransaction>()
      return ctx.publish('a.c', 1, { transaction: ctx.transaction })
    })
    expectTypeOf<PoolClient>().toExtend<
      Parameters<typeof app.publish>[2] extends { transaction?: infer T } | undefined ? NonNullable<T> : never
    >()
  })
})
