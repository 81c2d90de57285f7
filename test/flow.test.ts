import { expect, test } from 'vitest'
import { z } from 'zod'
import { memory } from '../src/adapters/memory/index.ts'
import {
  constant,
  createEvent,
  defer,
  defineEvents,
  fatal,
  millrace,
  retryIn,
  type DeadLetter,
} from '../src/index.ts'

/*
 * The life of events through a whole app on the memory transport: every outcome once.
 * What each transport promises is tested by the conformance suite; this is about how the parts fit.
 */

const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.paid': z.object({ orderId: z.string(), at: z.coerce.date().optional() }),
})

function app() {
  return millrace({ transport: memory(), events, source: '/shop', logger: false })
}

/** Resolves with the first `n` values given to `push`. */
function collector<T>(n: number): { push(value: T): void; all: Promise<readonly T[]> } {
  const values: T[] = []
  let done!: (values: readonly T[]) => void
  const all = new Promise<readonly T[]>((resolve) => (done = resolve))
  return { push: (value) => void (values.push(value) === n && done(values)), all }
}

test('an event reaches its handlers, and what they publish carries its lineage', async () => {
  await using shop = app()
  const mails = collector<unknown>(1)
  let placedId = ''
  shop.queue('billing').on('order.placed', async (event, ctx) => {
    placedId = event.id
    await ctx.publish('order.paid', { orderId: event.data.orderId })
  })
  shop.queue('mail').on('order.paid', (event) => mails.push(event))
  await shop.start()
  await shop.publish('order.placed', { orderId: '7', total: 10 }, { key: 'k' })
  const [mail] = await mails.all
  expect(mail).toMatchObject({
    type: 'order.paid',
    topic: 'order',
    source: '/shop',
    correlationId: placedId,
    causationId: placedId,
    data: { orderId: '7' },
  })
})

test('a failing handler is tried again, then its event is a dead letter that can be redriven', async () => {
  await using shop = app()
  const attempts: number[] = []
  const letters = collector<DeadLetter>(1)
  const redriven = collector<number>(1)
  let broken = true
  shop
    .queue('billing', { retry: { attempts: 3, backoff: constant(1) } })
    .on('order.placed', (_event, ctx) => {
      attempts.push(ctx.attempt)
      if (broken) throw new Error(`declined ${ctx.attempt}`)
      redriven.push(ctx.attempt)
    })
  shop.onDeadLetter(letters.push)
  await shop.start()
  await shop.publish('order.placed', { orderId: '7', total: 10 })
  const [letter] = await letters.all
  expect(attempts).toEqual([1, 2, 3])
  expect(letter).toMatchObject({ queue: 'billing', attempts: 3, error: { message: 'declined 3' } })
  expect(letter?.history.map((note) => note.message)).toEqual(['declined 1', 'declined 2', 'declined 3'])
  const [stats] = await shop.queues()
  expect(stats).toMatchObject({ name: 'billing', dead: 1, depth: 0, inFlight: 0 })
  broken = false
  expect(await shop.deadLetters('billing').redrive(letter?.id)).toBe(1)
  expect(await redriven.all).toEqual([1])
})

test('fatal makes a dead letter at once; defer comes back without counting', async () => {
  await using shop = app()
  const runs = collector<string>(3)
  const letters = collector<DeadLetter>(1)
  let deferred = false
  shop
    .queue('q')
    .on('order.placed', (_event, ctx) => {
      runs.push(`placed ${ctx.attempt}`)
      throw fatal(new Error('no such customer'))
    })
    .on('order.paid', (_event, ctx) => {
      runs.push(`paid ${ctx.attempt}`)
      if (!deferred) {
        deferred = true
        throw defer(1)
      }
    })
  shop.onDeadLetter(letters.push)
  await shop.start()
  await shop.publish('order.placed', { orderId: '1', total: 1 })
  await shop.publish('order.paid', { orderId: '1' })
  expect((await runs.all).toSorted()).toEqual(['paid 1', 'paid 1', 'placed 1'])
  expect((await letters.all)[0]).toMatchObject({ attempts: 1, error: { message: 'no such customer' } })
})

test('events of one key are handled in order while one of them is being retried', async () => {
  await using shop = app()
  const seen = collector<string>(7)
  let failures = 0
  shop.queue('q', { order: { by: 'key' }, retry: { backoff: constant(5) } }).on('order.placed', (event) => {
    if (event.data.orderId === 'a1' && failures++ < 2) {
      seen.push('a1 failed')
      throw new Error('not yet')
    }
    seen.push(event.data.orderId)
  })
  await shop.start()
  for (const orderId of ['a1', 'a2', 'b1', 'a3', 'b2'])
    await shop.publish('order.placed', { orderId, total: 1 }, { key: orderId.slice(0, 1) })
  const order = await seen.all
  expect(order.filter((id) => id.startsWith('a'))).toEqual(['a1 failed', 'a1 failed', 'a1', 'a2', 'a3'])
  expect(order.filter((id) => id.startsWith('b'))).toEqual(['b1', 'b2'])
})

test('a batch handler gets many at once and settles each by its own outcome', async () => {
  await using shop = app()
  const sizes: number[] = []
  const letters = collector<DeadLetter>(1)
  const handled = collector<string>(9)
  shop.queue('q', { retry: { attempts: 1 } }).onBatch('order.placed', { size: 10, wait: 50 }, (batch) => {
    sizes.push(batch.length)
    return Promise.allSettled(
      batch.map(async (event) => {
        if (event.data.orderId === '5') throw new Error('bad five')
        handled.push(event.data.orderId)
      }),
    )
  })
  shop.onDeadLetter(letters.push)
  await shop.start()
  await shop.publish(
    Array.from({ length: 10 }, (_, i) => events.create('order.placed', { orderId: String(i), total: i })),
  )
  expect(await handled.all).toHaveLength(9)
  expect((await letters.all)[0]).toMatchObject({
    error: { message: 'bad five' },
    event: { data: { orderId: '5' } },
  })
  expect(sizes).toEqual([10])
})

test('data that does not fit the schema is refused by publish, and a dead letter on receiving', async () => {
  await using shop = app()
  const transport = shop.transport
  const letters = collector<DeadLetter>(1)
  shop.queue('q').on('order.placed', () => {
    throw new Error('must not run')
  })
  shop.onDeadLetter(letters.push)
  await shop.start()
  await expect(
    shop.publish('order.placed', { orderId: '7', total: 'much' as unknown as number }),
  ).rejects.toMatchObject({ code: 'DATA_INVALID' })
  await using foreign = millrace({ transport, logger: false })
  await foreign.publish(createEvent('order.placed', { orderId: 7 }))
  const [letter] = await letters.all
  expect(letter).toMatchObject({ attempts: 1, error: { code: 'DATA_INVALID' } })
  expect(Buffer.from(letter?.raw ?? []).toString()).toBe('{"orderId":7}')
})

test('what throws when it is looked at is a failure like any other', async () => {
  await using shop = app()
  const letters = collector<DeadLetter>(3)
  shop
    .queue('q', { retry: { attempts: 1 } })
    .on('order.placed', () => {
      throw new Proxy(
        {},
        {
          get: () => {
            throw new Error('hands off')
          },
          getPrototypeOf: () => {
            throw new Error('hands off')
          },
        },
      )
    })
    .on('order.paid', () => ({
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      get then() {
        throw new Error('a bad thenable')
      },
    }))
  shop.queue('r', { retry: { attempts: 1 } }).on('order.placed', () => {
    throw Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('hands off')
      },
    })
  })
  shop.onDeadLetter(letters.push)
  await shop.start()
  await shop.publish('order.placed', { orderId: '1', total: 1 })
  await shop.publish('order.paid', { orderId: '1' })
  const errors = (await letters.all).map(({ error }) => error.code ?? error.message)
  expect(errors.toSorted()).toEqual(['HANDLER_FAILED', 'HANDLER_FAILED', 'a bad thenable'])
})

test("a wait that no clock can count is the handler's mistake, and hurts nobody else", async () => {
  await using shop = app()
  const handled = collector<string>(1)
  const letters = collector<DeadLetter>(1)
  shop.queue('q', { retry: { attempts: 1 } }).on('order.placed', (event) => {
    if (event.data.orderId === 'bad') throw retryIn(1e300)
    handled.push(event.data.orderId)
  })
  shop.onDeadLetter(letters.push)
  await shop.start()
  for (const orderId of ['bad', 'good']) await shop.publish('order.placed', { orderId, total: 1 })
  expect(await handled.all).toEqual(['good'])
  expect((await letters.all)[0]?.error.code).toBe('INVALID_OPTION')
})

test('a batch has what middlewares added for all alike, and nothing that differs', async () => {
  await using shop = app()
  const seen = collector<unknown>(1)
  shop
    .queue('q')
    .use(async (event, _ctx, next) => next(event, { db: 'one', tenant: event.key }))
    .onBatch('order.placed', { size: 2, wait: 1_000 }, async (_events, ctx) => {
      const refused: unknown[] = []
      const note = (error: unknown): void => void refused.push((error as { code: unknown }).code)
      try {
        void ctx.tenant
      } catch (error) {
        note(error)
      }
      await ctx.publish('order.paid', { orderId: '1' }, { idempotencyKey: 'k' }).catch(note)
      seen.push([ctx.db, ...refused])
    })
  await shop.start()
  await shop.publish([
    events.create('order.placed', { orderId: '1', total: 1 }, { key: 'a' }),
    events.create('order.placed', { orderId: '2', total: 1 }, { key: 'b' }),
  ])
  expect(await seen.all).toEqual([['one', 'BATCH_CONTEXT', 'BATCH_CONTEXT']])
})

test('an event made apart from the app gets its source, unless it has one', async () => {
  await using shop = app()
  const sources = collector<string>(2)
  shop.queue('q').on('order.*', (event) => sources.push(event.source))
  await shop.start()
  await shop.publish(events.create('order.paid', { orderId: '1' }))
  await shop.publish(events.create('order.paid', { orderId: '1' }, { source: '/till' }))
  expect((await sources.all).toSorted()).toEqual(['/shop', '/till'])
})

test('what this version does not have is refused, not ignored', () => {
  expect(() => millrace({ transport: memory(), codec: {} })).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED' }),
  )
  expect(() => app().queue('q', { types: 'order.*' as never })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION' }),
  )
  expect(() => app().queue('q', { maxHandling: 0 })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION' }),
  )
})

test('stop waits for a handler, then aborts it, and gives back what had not started', async () => {
  const shop = app()
  const started = collector<string>(1)
  let reason: unknown
  shop.queue('q', { concurrency: 1 }).on('order.placed', async (event, ctx) => {
    started.push(event.data.orderId)
    await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
    reason = ctx.signal.reason
    throw ctx.signal.reason
  })
  await shop.start()
  for (const orderId of ['1', '2']) await shop.publish('order.placed', { orderId, total: 1 })
  await started.all
  const began = performance.now()
  await shop.stop({ timeout: 100 })
  expect(performance.now() - began).toBeLessThan(2_100)
  expect(reason).toMatchObject({ code: 'STOPPING' })
  await expect(shop.publish('order.placed', { orderId: '3', total: 1 })).rejects.toMatchObject({
    code: 'STOPPED',
  })
})
