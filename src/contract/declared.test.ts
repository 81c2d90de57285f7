import { expect, test } from 'vitest'
import { checkOrder, keptOf } from './declared.ts'
import type { QueueSpec } from './transport.ts'

const paid = { topic: 'order', pattern: 'order.paid' }
const placed = { topic: 'order', pattern: 'order.placed' }
const spec: QueueSpec = { name: 'billing', subscriptions: [placed], from: 'now', order: false }

test('what a queue has besides is told, and what it has of another wish', () => {
  expect(keptOf(spec, spec)).toEqual([])
  expect(keptOf(spec, { subscriptions: [], order: false })).toEqual([])
  expect(keptOf(spec, { subscriptions: [placed, paid], order: true })).toEqual([
    `'billing' subscribes to 'order.paid' of topic 'order'`,
    `'billing' has order by key`,
  ])
  expect(keptOf({ ...spec, order: true }, spec)).toEqual([`'billing' has no order by key`])
})

test('the same pattern of another topic is another subscription', () => {
  const elsewhere = { ...placed, topic: '*' }
  expect(keptOf(spec, { subscriptions: [elsewhere], order: false })).toHaveLength(1)
})

test('a queue keeps the order that it was made with', () => {
  checkOrder('billing', true, true)
  checkOrder('billing', false, false)
  const refused = (made: boolean): unknown =>
    expect.objectContaining({
      code: 'INVALID_OPTION',
      message: `\`order\` of the queue 'billing' cannot change: it was made ${made ? 'with' : 'without'} order by key`,
    })
  expect(() => checkOrder('billing', true, false)).toThrow(refused(true))
  expect(() => checkOrder('billing', false, true)).toThrow(refused(false))
})
