import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { memory } from '../adapters/memory/index.ts'
import { constant, createEvent, defer, defineEvents, exponential, millrace } from '../index.ts'
import { testing } from './index.ts'

const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.paid': z.object({ orderId: z.string(), at: z.coerce.date().optional() }),
})

function shop() {
  return millrace({ transport: 'memory:', events, source: '/shop', logger: false })
}

const order = { orderId: '7', total: 10 }

describe('idle', () => {
  test('waits for handlers and for what they publish', async () => {
    const app = shop()
    app.queue('billing').on('order.placed', async (event, ctx) => {
      await ctx.publish('order.paid', { orderId: event.data.orderId })
    })
    app.queue('mail').on('order.paid', () => undefined)
    await using t = await testing(app)
    await t.publish('order.placed', order)
    await t.idle()
    expect(t.published('order.paid').map((event) => event.data)).toEqual([{ orderId: '7' }])
    expect(t.handled('billing').map((event) => event.type)).toEqual(['order.placed'])
    expect(t.handled('mail')).toMatchObject([{ causationId: t.published('order.placed')[0]?.id }])
  })

  test('waits for a handler that does real work outside', async () => {
    const app = shop()
    app.queue('billing').on('order.placed', () => new Promise((resolve) => setTimeout(resolve, 60)))
    await using t = await testing(app)
    await t.publish('order.placed', order)
    await t.idle()
    expect(t.handled('billing')).toHaveLength(1)
  })

  test('waits for a handler while a batch of another queue fills', async () => {
    const app = shop()
    app.queue('billing').on('order.placed', () => new Promise((resolve) => setTimeout(resolve, 30)))
    app.queue('audit').onBatch('order.placed', { size: 3, wait: '1m' }, () => undefined)
    await using t = await testing(app)
    await t.publish(['1', '2'].map((orderId) => events.create('order.placed', { orderId, total: 1 })))
    await t.idle()
    expect(t.handled('billing')).toHaveLength(2)
    expect(t.handled('audit')).toEqual([])
    await t.publish('order.placed', order)
    await t.idle()
    expect(t.handled('audit')).toHaveLength(3)
  })

  test('waits for a publish that nobody awaits', async () => {
    const app = shop()
    app.queue('mail').on('order.paid', () => undefined)
    await using t = await testing(app)
    void t.publish('order.paid', { orderId: '7' })
    await t.idle()
    expect(t.handled('mail')).toHaveLength(1)
  })

  test('sees through two handlers that publish to each other', async () => {
    const app = shop()
    const rounds = 50
    app
      .queue('ping')
      .on('order.placed', (event, ctx) => ctx.publish('order.paid', { orderId: event.data.orderId }))
    app.queue('pong').on('order.paid', async (event, ctx) => {
      const round = Number(event.data.orderId)
      if (round < rounds) await ctx.publish('order.placed', { orderId: String(round + 1), total: 1 })
    })
    await using t = await testing(app)
    await t.publish('order.placed', { orderId: '1', total: 1 })
    await t.idle()
    expect(t.handled('pong').map((event) => event.data)).toEqual(
      Array.from({ length: rounds }, (_, i) => ({ orderId: String(i + 1) })),
    )
  })

  test('names the handlers that publish to each other for ever', async () => {
    const app = shop()
    app.queue('ping').on('order.placed', (_event, ctx) => ctx.publish('order.paid', { orderId: '7' }))
    app.queue('pong').on('order.paid', (_event, ctx) => ctx.publish('order.placed', order))
    await using t = await testing(app)
    await t.publish('order.placed', order)
    await expect(t.idle()).rejects.toMatchObject({
      code: 'TEST_NOT_IDLE',
      message: expect.stringMatching(/without a rest.*'p[io]ng' with order\.pl?a/),
    })
  }, 60_000)

  test('names the handler that never ends, and the app stops all the same', async () => {
    const app = shop()
    app.queue('billing').on('order.placed', () => new Promise(() => undefined))
    const t = await testing(app, { timeout: 50 })
    await t.publish('order.placed', order, { id: 'e1' })
    await expect(t.idle()).rejects.toMatchObject({
      code: 'TEST_NOT_IDLE',
      message:
        "Nothing has happened for 50 ms, and handlers still run: 'billing' with order.placed e1, attempt 1",
    })
    await t[Symbol.asyncDispose]()
  })

  test('is no matter for an app without queues', async () => {
    await using t = await testing(millrace({ transport: memory() }))
    await t.idle()
    await t.publish('a.b', { n: 1 })
    await t.drain()
    expect(t.published('a.b')).toMatchObject([{ type: 'a.b', data: { n: 1 } }])
  })

  test('does not wait for a paused queue', async () => {
    const app = shop()
    app.queue('billing').on('order.placed', () => undefined)
    await using t = await testing(app)
    app.pause('billing')
    await t.publish('order.placed', order, { delay: '1s' })
    await t.publish('order.placed', order)
    await t.drain()
    expect(t.handled('billing')).toEqual([])
    app.resume('billing')
    await t.idle()
    expect(t.handled('billing')).toHaveLength(2)
  })
})

describe('the clock', () => {
  test('brings a retry at its time, and not before', async () => {
    const app = shop()
    const attempts: number[] = []
    app.queue('billing', { retry: { backoff: constant('10s') } }).on('order.placed', (_event, ctx) => {
      attempts.push(ctx.attempt)
      if (ctx.attempt < 3) throw new Error('not yet')
    })
    await using t = await testing(app)
    await t.publish('order.placed', order)
    await t.idle()
    expect(attempts).toEqual([1])
    await t.advance(9_999)
    expect(attempts).toEqual([1])
    await t.advance(1)
    expect(attempts).toEqual([1, 2])
    await t.advance('10s')
    expect(attempts).toEqual([1, 2, 3])
    expect(t.handled('billing')).toHaveLength(1)
  })

  test('brings a delayed event at its time, and not before', async () => {
    const app = shop()
    app.queue('mail').on('order.paid', () => undefined)
    await using t = await testing(app)
    await t.publish('order.paid', { orderId: '7' }, { delay: '2h' })
    await t.advance('119m')
    expect(t.handled('mail')).toEqual([])
    await t.advance('1m')
    expect(t.handled('mail')).toHaveLength(1)
  })

  test('stops on the way at everything that comes due', async () => {
    const app = shop()
    app.queue('q').on('order.placed', async (_event, ctx) => {
      if (t.published('order.placed').length < 5) await ctx.publish('order.placed', order, { delay: '1m' })
    })
    await using t = await testing(app)
    await t.publish('order.placed', order)
    await t.advance('10m')
    // Each is published when the one before it is handled.
    const times = t.published('order.placed').map((event) => event.time.getTime())
    expect(times.map((time) => time - (times[0] as number))).toEqual([0, 0, 60_000, 120_000, 180_000])
    expect(t.handled('q')).toHaveLength(5)
  })

  test('runs through 25 attempts of an exponential backoff in no time', async () => {
    const app = shop()
    app
      .queue('billing', { retry: { attempts: 25, backoff: exponential({ jitter: 'none' }) } })
      .on('order.placed', () => {
        throw new Error('card declined')
      })
    await using t = await testing(app)
    const began = performance.now()
    await t.publish('order.placed', order)
    await t.drain()
    const [letter] = t.dead('billing')
    expect(letter).toMatchObject({ attempts: 25, error: { message: 'card declined' } })
    expect(Number(letter?.deadAt) - Number(letter?.firstFailedAt)).toBeGreaterThan(3 * 3_600_000)
    expect(performance.now() - began).toBeLessThan(2_000)
  })

  test('drain does not hang in an endless loop', async () => {
    const app = shop()
    app.queue('billing').on('order.placed', () => {
      throw defer('1s')
    })
    await using t = await testing(app)
    await t.publish('order.placed', order, { id: 'e1' })
    await expect(t.drain()).rejects.toMatchObject({
      code: 'TEST_NOT_DRAINED',
      message: expect.stringContaining("'billing' with order.placed e1"),
    })
  }, 60_000)

  test('makes a batch wait, by key too', async () => {
    const app = shop()
    const batches: string[][] = []
    app.queue('q', { order: { by: 'key' } }).onBatch('order.placed', { size: 10, wait: '45s' }, (batch) => {
      batches.push(batch.map((event) => event.data.orderId))
    })
    await using t = await testing(app)
    for (const orderId of ['a1', 'b1', 'a2'])
      await t.publish('order.placed', { orderId, total: 1 }, { key: orderId[0] as string })
    await t.idle()
    await t.advance(44_999)
    expect(batches).toEqual([])
    await t.advance(1)
    expect(batches).toEqual([['a1', 'b1']])
    await t.drain()
    expect(batches).toEqual([['a1', 'b1'], ['a2']])
    expect(t.handled('q')).toHaveLength(3)
  })

  test('keeps the order of a key across a retry', async () => {
    const app = shop()
    const seen: string[] = []
    app
      .queue('q', { order: { by: 'key' }, retry: { backoff: constant('1m') } })
      .on('order.placed', (event, ctx) => {
        seen.push(event.data.orderId)
        if (event.data.orderId === 'a1' && ctx.attempt === 1) throw new Error('not yet')
      })
    await using t = await testing(app)
    for (const orderId of ['a1', 'a2', 'b1', 'a3'])
      await t.publish('order.placed', { orderId, total: 1 }, { key: orderId[0] as string })
    await t.idle()
    expect(seen).toEqual(['a1', 'b1'])
    await t.drain()
    expect(seen).toEqual(['a1', 'b1', 'a1', 'a2', 'a3'])
    expect(t.handled('q').map((event) => event.key)).toEqual(['b', 'a', 'a', 'a'])
  })
})

describe('dead letters', () => {
  const failing = () => {
    const app = shop()
    let broken = true
    app.queue('billing', { retry: { attempts: 1 } }).on('order.placed', () => {
      if (broken) throw new TypeError('card declined')
    })
    return { app, mend: () => (broken = false) }
  }

  test('fail the test if nobody looked at them', async () => {
    const t = await testing(failing().app)
    expect(t.dead('billing')).toEqual([])
    await t.publish('order.placed', order, { id: 'e1' })
    await t.publish('order.placed', order, { id: 'e2' })
    await t.idle()
    await expect(t[Symbol.asyncDispose]()).rejects.toMatchObject({
      code: 'DEAD_LETTER_UNREAD',
      message:
        "The queue 'billing' has a dead letter that the test never looked at: order.placed e1 after 1 attempt: TypeError: card declined, and 1 more",
    })
  })

  test('and do not if somebody did', async () => {
    await using t = await testing(failing().app)
    await t.publish('order.placed', order)
    await t.idle()
    expect(t.dead('billing')).toMatchObject([
      { queue: 'billing', attempts: 1, event: { data: order }, error: { name: 'TypeError' } },
    ])
  })

  test('or redrove them', async () => {
    const { app, mend } = failing()
    await using t = await testing(app)
    await t.publish('order.placed', order)
    await t.idle()
    mend()
    expect(await app.deadLetters('billing').redrive()).toBe(1)
    await t.idle()
    expect(t.handled('billing')).toHaveLength(1)
  })

  test('of data that does not fit are seen too', async () => {
    const app = shop()
    app.queue('billing').on('order.placed', () => undefined)
    await using t = await testing(app)
    await using foreign = millrace({ transport: app.transport, logger: false })
    await foreign.publish(createEvent('order.placed', { orderId: 7 }))
    await t.idle()
    expect(t.dead('billing')).toMatchObject([{ error: { code: 'DATA_INVALID' } }])
    expect(t.handled('billing')).toEqual([])
    expect(t.published('order.placed')).toEqual([])
  })
})

describe('what was seen', () => {
  test('is what travelled on one side, and what handlers got on the other', async () => {
    const app = shop()
    app.queue('mail').on('order.paid', () => undefined)
    await using t = await testing(app)
    const data = { orderId: '7', at: '2026-01-02T03:04:05.000Z' }
    await t.publish('order.paid', data)
    data.orderId = 'changed'
    await t.idle()
    expect(t.published('order.paid')[0]?.data).toEqual({ orderId: '7', at: '2026-01-02T03:04:05.000Z' })
    expect(t.handled('mail')[0]?.data).toEqual({ orderId: '7', at: new Date('2026-01-02T03:04:05.000Z') })
  })

  test('leaves out what failed', async () => {
    const app = shop()
    app.queue('q').on('order.*', () => undefined)
    await using t = await testing(app)
    await expect(t.publish('order.placed', { orderId: '7', total: 'much' as never })).rejects.toMatchObject({
      code: 'DATA_INVALID',
    })
    await t.idle()
    expect(t.published('order.placed')).toEqual([])
  })

  test('is asked by the name of a queue that exists', async () => {
    await using t = await testing(shop())
    expect(() => t.handled('biling')).toThrow(expect.objectContaining({ code: 'UNKNOWN_QUEUE' }))
    expect(() => t.dead('biling')).toThrow(expect.objectContaining({ code: 'UNKNOWN_QUEUE' }))
  })

  test('is typed by the catalog', async () => {
    const app = shop()
    app.queue('q').on('*', () => undefined)
    await using t = await testing(app)
    expectTypeOf(t.published('order.placed')[0]?.data).toEqualTypeOf<
      { orderId: string; total: number } | undefined
    >()
    expectTypeOf(t.handled('q')[0]?.type).toEqualTypeOf<'order.placed' | 'order.paid' | undefined>()
  })
})

test('an app that is open already comes too late', async () => {
  await using app = shop()
  await app.publish('order.placed', order)
  await expect(testing(app)).rejects.toMatchObject({ code: 'TOO_LATE' })
  await using started = shop()
  await started.start()
  await expect(testing(started)).rejects.toMatchObject({ code: 'TOO_LATE' })
})
