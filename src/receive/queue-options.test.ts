import { describe, expect, test } from 'vitest'
import { memory } from '../adapters/memory/index.ts'
import type { Transport } from '../contract/transport.ts'
import { defineEvents, runtimeOf, unchecked, type CatalogRuntime } from '../event/catalog.ts'
import { checkAgainst, settingsOf, specOf, type QueueOptions } from './queue-options.ts'

const coded = (code: string) => expect.objectContaining({ code })

test('every option has its default', () => {
  expect(settingsOf({})).toEqual({
    concurrency: 16,
    prefetch: undefined,
    lease: 30_000,
    maxHandling: 900_000,
    order: false,
    onRetry: undefined,
    retry: { attempts: 25, backoff: expect.any(Function) },
    breaker: true,
    unhandled: 'retry',
    from: 'now',
    types: undefined,
    topics: undefined,
    transactional: false,
  })
})

test.each<[string, unknown]>([
  ['concurrency', { concurrency: 0 }],
  ['concurrency', { concurrency: 1.5 }],
  ['prefetch', { prefetch: -1 }],
  ['lease', { lease: 49 }],
  ['lease', { lease: 'long' }],
  ['maxHandling', { maxHandling: -1 }],
  ['order', { order: 'key' }],
  ['order.onRetry', { order: { by: 'key', onRetry: 'wait' } }],
  ['retry.attempts', { retry: { attempts: 0 } }],
  ['retry.backoff', { retry: { backoff: 1_000 } }],
  ['unhandled', { unhandled: 'drop' }],
  ['from', { from: 'yesterday' }],
])('%s: %j is refused', (name, options) => {
  expect(() => settingsOf(options as QueueOptions)).toThrowError(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`\`${name}\``) }),
  )
})

test('types are patterns, topics are names', () => {
  expect(() => settingsOf({ types: ['a*'] })).toThrowError(coded('INVALID_PATTERN'))
  expect(() => settingsOf({ topics: ['a b'] })).toThrowError(coded('INVALID_NAME'))
})

describe('what a queue subscribes to', () => {
  const catalog = runtimeOf(
    defineEvents(
      { 'order.placed': unchecked<1>(), 'order.paid': unchecked<1>(), 'invoice.sent': unchecked<1>() },
      { topic: (type) => (type === 'order.paid' ? 'money' : (type.split('.')[0] ?? '')) },
    ),
  )
  const subscriptions = (options: QueueOptions, patterns: string[], known?: CatalogRuntime) =>
    specOf('q', settingsOf(options), patterns, known).subscriptions.map(
      ({ topic, pattern }) => `${topic}: ${pattern}`,
    )

  test.each<[string, QueueOptions, string[], string[]]>([
    [
      'the types of its handlers',
      {},
      ['order.placed', 'invoice.sent'],
      ['order: order.placed', 'invoice: invoice.sent'],
    ],
    ['every topic of a prefix', {}, ['order.*'], ['order: order.*', 'money: order.*']],
    ['everything', {}, ['*'], ['*: *']],
    ['its types instead of those of the handlers', { types: ['order.paid'] }, ['*'], ['money: order.paid']],
    ['whole topics', { topics: ['x', 'y'] }, ['order.placed'], ['x: *', 'y: *']],
    ['types of topics', { topics: ['x'], types: ['a.b'] }, [], ['x: a.b']],
  ])('%s', (_name, options, patterns, expected) => {
    expect(subscriptions(options, patterns, catalog)).toEqual(expected)
  })

  test('without a catalog, or for what that does not know, the default topic', () => {
    expect(subscriptions({}, ['order.paid', 'order.*', 'a.b.*'])).toEqual([
      'order: order.paid',
      'order: order.*',
      'a: a.b.*',
    ])
    expect(subscriptions({}, ['stock.*'], catalog)).toEqual(['stock: stock.*'])
  })

  test.each<[string, QueueOptions, string[], string]>([
    ['nothing', {}, [], 'QUEUE_EMPTY'],
    ['no types', { types: [] }, ['*'], 'QUEUE_EMPTY'],
    ['no topics', { topics: [] }, ['*'], 'QUEUE_EMPTY'],
    ['a reverse-DNS type', {}, ['com.acme.order'], 'TOPIC_AMBIGUOUS'],
  ])('not %s', (_name, options, patterns, code) => {
    expect(() => specOf('q', settingsOf(options), patterns, undefined)).toThrowError(coded(code))
  })
})

describe('against what the transport can', () => {
  const limited = (features: Partial<Transport['features']>): Transport => {
    const real = memory() as Transport
    return new Proxy(real, {
      get: (target, name): unknown =>
        name === 'features' ? { ...target.features, ...features } : Reflect.get(target, name, target),
    })
  }

  test.each<[QueueOptions, Partial<Transport['features']>, string]>([
    [{ order: { by: 'key' } }, { order: 'none' }, 'UNSUPPORTED'],
    [{ order: { by: 'key', onRetry: 'park' } }, { onRetry: ['pass'] }, 'UNSUPPORTED'],
    [{ transactional: true }, {}, 'TRANSACTION_UNSUPPORTED'],
    [{ transactional: true }, { transactions: 'publish' }, 'TRANSACTION_UNSUPPORTED'],
  ])('%j with %j: %s', (options, features, code) => {
    expect(() => checkAgainst('q', settingsOf(options), limited(features), undefined)).toThrowError(
      coded(code),
    )
  })

  test('what it can passes', () => {
    checkAgainst(
      'q',
      settingsOf({ order: { by: 'key', onRetry: 'pass' } }),
      limited({ onRetry: ['pass'] }),
      undefined,
    )
  })
})
