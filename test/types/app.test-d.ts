import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { memory } from '../../src/adapters/memory/index.ts'
import {
  createEvent,
  defineEvents,
  millrace,
  pipeline,
  unchecked,
  type Context,
  type EventOf,
  type Handler,
  type HandlerOf,
  type MillraceEvent,
  type Middleware,
  type Next,
  type Transport,
} from '../../src/index.ts'
import { testing } from '../../src/testing/index.ts'

/* What compiles without an annotation, and what it is then known to be. */

interface Sql {
  query(text: string): Promise<unknown>
}
declare const postgres: Transport<Sql>

const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.paid': z.object({ orderId: z.string(), at: z.string().transform((text) => new Date(text)) }),
  'user.created': unchecked<{ id: number }>(),
})
const app = millrace({ transport: memory(), events })
const inSql = millrace({ transport: postgres, events })

type Placed = MillraceEvent<'order.placed', { orderId: string; total: number }>
type Paid = MillraceEvent<'order.paid', { orderId: string; at: Date }>
type Created = MillraceEvent<'user.created', { id: number }>

// Middlewares as a library would give them: generic, so that they hand types through.
declare function timeout(
  after: number,
): <E extends MillraceEvent, C>(event: E, ctx: C, next: Next<E>) => ReturnType<typeof next<E>>
const log: Middleware = async (event, ctx, next) => {
  await next()
  console.log(ctx.queue, event.type)
}
const traced = async <E extends MillraceEvent, C extends Context>(event: E, ctx: C, next: Next<E>) =>
  next(event, { trace: `${ctx.queue} ${event.id}` })
/** Changes what follows gets: the data is a text from here on. */
const asText = async <E extends MillraceEvent, C>(event: E, _ctx: C, next: Next<E>) =>
  next(event.with({ data: JSON.stringify(event.data) }) as MillraceEvent<E['type'], string>)

describe('events', () => {
  test('of a pattern are what its handler gets: the output of the schema', () => {
    app.queue('q').on('order.placed', (event) => expectTypeOf(event).toEqualTypeOf<Placed>())
    app.queue('q').on('order.*', (event) => {
      expectTypeOf(event).toEqualTypeOf<Placed | Paid>()
      if (event.type === 'order.paid') expectTypeOf(event.data.at).toEqualTypeOf<Date>()
    })
    app.queue('q').on('*', (event) => expectTypeOf(event).toEqualTypeOf<Placed | Paid | Created>())
    expectTypeOf<EventOf<typeof events, 'order.*'>>().toEqualTypeOf<Placed | Paid>()
    expectTypeOf<EventOf<typeof events, 'user.created'>>().toEqualTypeOf<Created>()
  })

  test('are published with the input of the schema', () => {
    void app.publish('order.paid', { orderId: '7', at: '2026-01-01' }, { key: '7', delay: '5m' })
    void app.publish(events.create('order.paid', { orderId: '7', at: '2026-01-01' }))
    void app.publish([
      events.create('order.placed', { orderId: '7', total: 1 }),
      createEvent('user.created', { id: 1 }),
    ])
    // @ts-expect-error -- the output is not the input
    void app.publish('order.paid', { orderId: '7', at: new Date() })
    // @ts-expect-error
    void app.publish(events.create('order.placed', { orderId: 7 }))
    // @ts-expect-error
    void app.publish(createEvent('user.deleted', { id: 1 }))
    // @ts-expect-error -- a handled event carries the output: it cannot be published as it is
    app.queue('q').on('order.paid', (event, ctx) => ctx.publish(event))
    app.queue('q').on('order.placed', (event, ctx) => ctx.publish(event))
  })

  test('keep their type where only attributes are changed', () => {
    app.queue('q').on('order.placed', (event, ctx) => ctx.publish(event.with({ id: 'another', key: '7' })))
    app.queue('q').on('*', (event) => {
      expectTypeOf(event.with({ subject: '7' })).toEqualTypeOf<Placed | Paid | Created>()
      expectTypeOf(event.with({ data: 7 })).toEqualTypeOf<MillraceEvent>()
    })
    // @ts-expect-error -- it may be data of any type now
    app.queue('q').on('order.placed', (event, ctx) => ctx.publish(event.with({ data: 7 })))
  })

  test('of an app without a catalog are of any type, their data unknown', () => {
    const plain = millrace({ transport: memory() })
    void plain.publish('anything.at.all', { whatever: 1 })
    void plain.publish(createEvent('a.b', 1))
    plain.queue('q').on('a.b', (event) => expectTypeOf(event).toEqualTypeOf<MillraceEvent<'a.b', unknown>>())
    plain.queue('q').on('a.*', (event) => expectTypeOf(event).toEqualTypeOf<MillraceEvent<string, unknown>>())
    plain.queue('q').on('*', (event, ctx) => {
      expectTypeOf(event.data).toEqualTypeOf<unknown>()
      return ctx.publish('c.d', null)
    })
  })
})

describe('the context', () => {
  test('publishes as the app does, taken apart too', () => {
    app.queue('q').on('order.placed', async (_event, { publish }) => {
      await publish('user.created', { id: 1 }, { idempotencyKey: 'once' })
      // @ts-expect-error
      await publish('user.created', { id: 'one' })
      // @ts-expect-error
      await publish('user.creatd', { id: 1 })
    })
  })

  test('has what middlewares of app, queue and pipeline add', () => {
    millrace({ transport: memory(), events })
      .use(log)
      .use(async (_event, ctx, next) => next(_event, { db: ctx.attempt }))
      .queue('q', { concurrency: 4 })
      .use(log)
      .use(timeout(5))
      .use(async (event, ctx, next) => next(event, { user: `${event.type} ${ctx.db}` }))
      .on(
        'order.placed',
        pipeline(
          async (event, ctx, next) => next(event, { customer: [ctx.user, ctx.db] as const }),
          (event, ctx) => {
            expectTypeOf(event).toEqualTypeOf<Placed>()
            expectTypeOf(ctx.db).toEqualTypeOf<number>()
            expectTypeOf(ctx.user).toEqualTypeOf<
              `order.placed ${number}` | `order.paid ${number}` | `user.created ${number}` | string
            >()
            expectTypeOf(ctx.customer).toEqualTypeOf<readonly [string, number]>()
            expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>()
            return ctx.publish('order.paid', { orderId: '7', at: '' })
          },
        ),
      )
  })

  test('has only what was added in every case', () => {
    app
      .queue('q')
      .use(async (event, ctx, next) => (ctx.attempt > 1 ? next() : next(event, { first: true })))
      .on('*', (_event, ctx) => {
        // @ts-expect-error
        return ctx.first
      })
    app.queue('q').on('*', (_event, ctx) => {
      // @ts-expect-error
      return ctx.db
    })
  })

  test('has a transaction where the queue is transactional', () => {
    inSql.queue('q', { transactional: true }).on('order.placed', async (_event, ctx) => {
      await ctx.transaction.query('insert')
    })
    inSql.queue('q').on('order.placed', (_event, ctx) => {
      expectTypeOf(ctx.transaction).toEqualTypeOf<Sql | undefined>()
    })
  })
})

describe('a transaction', () => {
  const tx: Sql = { query: async () => undefined }
  test('is of the transport', () => {
    void inSql.publish('user.created', { id: 1 }, { transaction: tx })
    void inSql.publish(events.create('user.created', { id: 1 }), { transaction: tx })
    // @ts-expect-error
    void inSql.publish('user.created', { id: 1 }, { transaction: { qeury: 1 } })
    const outboxed = millrace({ transport: memory() as Transport<never>, events, outbox: postgres })
    void outboxed.publish('user.created', { id: 1 }, { transaction: tx })
  })

  test('is refused where there are none', () => {
    // @ts-expect-error
    void app.publish('user.created', { id: 1 }, { transaction: tx })
    const plain = millrace({ transport: memory() })
    // @ts-expect-error
    void plain.publish('a.b', 1, { transaction: {} })
    // @ts-expect-error
    plain.queue('q').on('a.b', (_event, ctx) => ctx.publish('a.b', 1, { transaction: {} }))
  })
})

describe('a pipeline', () => {
  test('is typed by the place it stands in', () => {
    app.queue('q').on(
      'order.placed',
      pipeline(timeout(5), async (event, ctx) => {
        expectTypeOf(event).toEqualTypeOf<Placed>()
        await ctx.publish('user.created', { id: ctx.attempt })
      }),
    )
  })

  test('hands on what its middlewares do', () => {
    app.queue('q').on(
      'order.*',
      pipeline(log, traced, timeout(1), asText, (event, ctx) => {
        expectTypeOf(event.data).toEqualTypeOf<string>()
        expectTypeOf(event.type).toEqualTypeOf<'order.placed' | 'order.paid'>()
        expectTypeOf(ctx.trace).toEqualTypeOf<string>()
        expectTypeOf(ctx.queue).toEqualTypeOf<string>()
      }),
    )
  })

  test('keeps the event where a middleware says nothing of it', () => {
    app.queue('q').on(
      'order.placed',
      pipeline(
        log,
        async (_event, _ctx, next) => {
          await next()
        },
        async (event, ctx, next) => (ctx.attempt > 3 ? undefined : next(event, { early: true as const })),
        (event, ctx) => {
          expectTypeOf(event).toEqualTypeOf<Placed>()
          expectTypeOf(ctx.early).toEqualTypeOf<true>()
        },
      ),
    )
  })

  test('takes seven middlewares', () => {
    app.queue('q').on(
      'order.placed',
      pipeline(log, log, timeout(1), log, traced, log, log, (event, ctx) => {
        expectTypeOf(event).toEqualTypeOf<Placed>()
        expectTypeOf(ctx.trace).toEqualTypeOf<string>()
      }),
    )
  })

  test('needs no queue around it', () => {
    const handler = pipeline(
      (event: Placed, ctx: Context, next) => traced(event, ctx, next),
      (event, ctx) => [event.data.total, ctx.trace],
    )
    app.queue('q').on('order.placed', handler)
  })
})

describe('a handler written apart', () => {
  test('is typed by HandlerOf', () => {
    const onPlaced: HandlerOf<typeof events, 'order.placed'> = async (event, ctx) => {
      expectTypeOf(event).toEqualTypeOf<Placed>()
      await ctx.publish('order.paid', { orderId: event.data.orderId, at: '' })
      // @ts-expect-error
      await ctx.publish('order.paid', { orderId: 1, at: '' })
    }
    app.queue('q').on('order.placed', onPlaced)
    inSql.queue('q').on('order.placed', onPlaced)
    // @ts-expect-error -- order.paid has other data
    app.queue('q').on('order.*', onPlaced)
    app.queue('q').on('order.placed', pipeline(log, onPlaced))
  })

  test('needs the context it names', () => {
    const withDb: HandlerOf<typeof events, 'order.*', { db: number }> = (event, ctx) => [
      event.data.orderId,
      ctx.db,
    ]
    app
      .queue('q')
      .use(async (event, _ctx, next) => next(event, { db: 1 }))
      .on('order.placed', withDb)
    // @ts-expect-error
    app.queue('q').on('order.placed', withDb)
    const other = app.queue('q').use(async (event, _ctx, next) => next(event, { db: '1' }))
    // @ts-expect-error -- a text is no number
    other.on('order.placed', withDb)
  })

  test('of any event is taken everywhere', () => {
    const anything: Handler = (event, ctx) => ctx.publish(event)
    app.queue('q').on('order.*', anything)
    inSql.queue('q', { transactional: true }).on('*', pipeline(log, anything))
    millrace({ transport: 'memory:' }).queue('q').on('*', anything)
  })
})

describe('a batch', () => {
  test('has events of its pattern and an outcome for each, or none', () => {
    app
      .queue('q')
      .onBatch('order.placed', { size: 10, wait: '1s' }, (batch, ctx) => {
        expectTypeOf(batch).toEqualTypeOf<readonly Placed[]>()
        return Promise.allSettled(batch.map((event) => ctx.publish('user.created', { id: event.data.total })))
      })
      .onBatch('order.*', {}, async (batch) => {
        await Promise.all(batch.map(async (event) => event.data.orderId))
      })
      .onBatch('*', {}, () => undefined)
    // @ts-expect-error -- an array of promises says nothing of their outcomes
    app.queue('q').onBatch('order.paid', {}, (batch) => batch.map(async (event) => event.id))
    // @ts-expect-error
    app.queue('q').onBatch('order.paid', () => undefined)
  })
})

describe('a queue', () => {
  test('takes patterns that fit a type of the catalog', () => {
    app.queue('q').on('order.*', () => undefined)
    // @ts-expect-error
    app.queue('q').on('order.plcaed', () => undefined)
    // @ts-expect-error
    app.queue('q').on('orders.*', () => undefined)
    // @ts-expect-error
    app.queue('q', { concurency: 3 })
    // @ts-expect-error
    app.queue('q', { lease: '30 seconds' })
  })
})

test('the test kit knows the catalog', async () => {
  const t = await testing(app)
  expectTypeOf(t.published('order.paid')).toEqualTypeOf<
    readonly MillraceEvent<'order.paid', { orderId: string; at: string }>[]
  >()
  expectTypeOf(t.handled('q')).toEqualTypeOf<readonly (Placed | Paid | Created)[]>()
  await t.publish('user.created', { id: 1 })
  // @ts-expect-error
  t.published('user.creatd')
  // @ts-expect-error
  await t.publish('user.created', { id: 1 }, { transaction: {} })
})
