import { describe, expect, test } from 'vitest'
import { checkName, checkPattern, checkType, defaultTopic, matches } from './names.ts'

const coded = (code: string) => expect.objectContaining({ code })

test.each(['a', 'Billing-2_eu.west', '0'.repeat(128)])('%s is a name', (name) => {
  expect(checkName(name, 'queue')).toBe(name)
})

test.each(['', '.a', '-a', 'a b', 'a/b', 'ä', 'a\n', 'millrace.outbox', '0'.repeat(129), undefined, 7])(
  '%j is no name',
  (name) => {
    expect(() => checkName(name as string, 'queue')).toThrowError(coded('INVALID_NAME'))
  },
)

test.each(['order', 'order.placed', 'Bestellung.geändert', 'a/b:c', '日本', 'x'.repeat(255)])(
  '%s is a type',
  (type) => {
    expect(checkType(type)).toBe(type)
  },
)

test.each(['', 'order.*', 'a b', 'a\n', 'a\u0000', '\ud800', 'x'.repeat(256), null])(
  '%j is no type',
  (type) => {
    expect(() => checkType(type as string)).toThrowError(coded('INVALID_EVENT'))
  },
)

test.each(['*', 'order.placed', 'order.*', 'order.placed.*'])('%s is a pattern', (pattern) => {
  expect(checkPattern(pattern)).toBe(pattern)
})

test.each(['', '.*', '**', '*.placed', 'order*', 'order.*.placed', 'or der', undefined])(
  '%j is no pattern',
  (pattern) => {
    expect(() => checkPattern(pattern as string)).toThrowError(coded('INVALID_PATTERN'))
  },
)

test.each([
  ['*', 'anything', true],
  ['order.placed', 'order.placed', true],
  ['order.placed', 'order.placed.v2', false],
  ['order.*', 'order.placed', true],
  ['order.*', 'order.placed.v2', true],
  ['order.*', 'order', false],
  ['order.*', 'orders.placed', false],
])('%s fits %s: %s', (pattern, type, fits) => {
  expect(matches(pattern, type)).toBe(fits)
})

describe('the topic of a type', () => {
  test.each([
    ['order', 'order'],
    ['order.placed', 'order'],
    ['de.invoice.sent', 'de'],
    ['app.started', 'app'],
    ['company.order.placed', 'company'],
  ])('%s: %s', (type, topic) => {
    expect(defaultTopic(type)).toBe(topic)
  })

  test.each(['com.acme.order', 'org.acme.order.placed', 'io.acme.x', 'dev.acme.x'])(
    'cannot be told from %s',
    (type) => {
      expect(() => defaultTopic(type)).toThrowError(coded('TOPIC_AMBIGUOUS'))
    },
  )

  test.each(['users/created', '.a', 'ä.b'])('no transport takes that of %s', (type) => {
    expect(() => defaultTopic(type)).toThrowError(coded('INVALID_NAME'))
  })
})
