import { expect, test } from 'vitest'
import { Router } from './router.ts'

function routed(...patterns: string[]): Router<string> {
  const router = new Router<string>()
  for (const pattern of patterns) router.add(pattern, pattern, 'q')
  return router
}

test.each([
  [['*', 'order.*', 'order.placed'], 'order.placed', 'order.placed'],
  [['order.placed', 'order.*', '*'], 'order.paid', 'order.*'],
  [['*', 'order.*'], 'invoice.sent', '*'],
  [['order.*', 'order.placed.*'], 'order.placed.v2', 'order.placed.*'],
  [['order.placed.*', 'order.*'], 'order.placed', 'order.*'],
  [['order.*'], 'invoice.sent', undefined],
  [['order.*'], 'order', undefined],
])('of %j, %s goes to %s', (patterns, type, pattern) => {
  expect(routed(...patterns).find(type)).toBe(pattern)
})

test('a pattern that is added later counts for types seen before', () => {
  const router = routed('*')
  expect(router.find('order.placed')).toBe('*')
  router.add('order.placed', 'exact', 'q')
  expect(router.find('order.placed')).toBe('exact')
})

test('finds the same after more types than it remembers', () => {
  const router = routed('*', 'a.*')
  for (let i = 0; i < 2_500; i++)
    expect(router.find(`${i % 2 === 0 ? 'a' : 'b'}.${i}`)).toBe(i % 2 === 0 ? 'a.*' : '*')
})

test('one handler for a pattern, and only patterns', () => {
  expect(() => routed('a.*', 'a.*')).toThrowError(expect.objectContaining({ code: 'HANDLER_EXISTS' }))
  expect(() => routed('a*')).toThrowError(expect.objectContaining({ code: 'INVALID_PATTERN' }))
})
