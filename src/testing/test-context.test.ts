import { expect, test } from 'vitest'
import { z } from 'zod'
import { createEvent, defineEvents, pipeline, type HandlerOf } from '../index.ts'
import { testContext } from './index.ts'

const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.paid': z.object({ orderId: z.string() }),
})
const placed = events.create('order.placed', { orderId: '7', total: 10 }, { id: 'e1' })

test('a handler is called directly, and what it publishes is kept', async () => {
  const handler: HandlerOf<typeof events, 'order.placed'> = async (
    event,
    { publish, queue, attempt, signal, extend },
  ) => {
    signal.throwIfAborted()
    await extend('1m')
    await publish('order.paid', { orderId: `${event.data.orderId} ${queue} ${attempt}` })
    await publish([events.create('order.paid', { orderId: '8' })])
  }
  const ctx = testContext()
  await handler(placed, ctx)
  expect(ctx.published.map(({ type, data }) => ({ type, data }))).toEqual([
    { type: 'order.paid', data: { orderId: '7 test 1' } },
    { type: 'order.paid', data: { orderId: '8' } },
  ])
})

test('parts of it are replaced, and middlewares are stood in for', async () => {
  const abort = new AbortController()
  const handler: HandlerOf<typeof events, 'order.placed', { user: string }> = (_event, ctx) => {
    ctx.signal.throwIfAborted()
    return `${ctx.user} ${ctx.attempt}`
  }
  const ctx = testContext({ user: 'ada', attempt: 3, signal: abort.signal })
  expect(handler(placed, ctx)).toBe('ada 3')
  abort.abort(new Error('time is over'))
  expect(() => handler(placed, ctx)).toThrow('time is over')
})

test('a pipeline runs with it', async () => {
  const seen: unknown[] = []
  const handler = pipeline(
    async (event: typeof placed, ctx: { attempt: number }, next) =>
      next(event, { user: `user ${ctx.attempt}` }),
    async (event, ctx) => {
      seen.push(event.data.orderId, ctx.user)
    },
  )
  await handler(placed, testContext())
  expect(seen).toEqual(['7', 'user 1'])
})

test('what could not travel is refused', async () => {
  await expect(testContext().publish('a.b', 1n)).rejects.toMatchObject({ code: 'DATA_NOT_JSON' })
  await expect(testContext().publish(createEvent('a.b', () => undefined))).rejects.toMatchObject({
    code: 'DATA_NOT_JSON',
  })
})
