import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createEvent, EventRecord, makeEvent, type EventOptions, type MillraceEvent } from './event.ts'
import { Payload } from './payload.ts'

const coded = (code: string) => expect.objectContaining({ code })
const arrived = (raw: string, contentType?: string): EventRecord =>
  new EventRecord('1', 'a.b', 'k', { source: '/s', topic: 'a', time: 0 }, Payload.from(raw, contentType))

describe('createEvent', () => {
  test('gives what was not said its default, and leaves out what is unknown', () => {
    const before = Date.now()
    const event = createEvent('order.placed', { orderId: '7' })
    expect(Object.keys(event).toSorted()).toEqual([
      'data',
      'extensions',
      'id',
      'source',
      'time',
      'topic',
      'type',
    ])
    expect(event).toMatchObject({
      type: 'order.placed',
      source: '/millrace',
      topic: 'order',
      data: { orderId: '7' },
    })
    expect(event.time.getTime()).toBeGreaterThanOrEqual(before)
  })

  test('takes every attribute', () => {
    const options = {
      id: 'mine',
      key: 'k',
      subject: 's',
      source: '/shop',
      topic: 'orders',
      time: new Date(1),
      deliverAt: new Date(2),
      correlationId: 'c',
      causationId: 'd',
      extensions: { tenant: 'x', n: 1, b: false },
    }
    expect(createEvent('order.placed', null, options)).toMatchObject(options)
  })

  test('a delay is a date from now', () => {
    const event = makeEvent('a.b', 1, { delay: '5s' }, { source: '/s', topicOf: () => 'a', now: () => 1_000 })
    expect([event.time.getTime(), event.deliverAt?.getTime()]).toEqual([1_000, 6_000])
  })

  test.each<[string, EventOptions, string]>([
    ['an empty id', { id: '' }, 'INVALID_EVENT'],
    ['a long key', { key: 'k'.repeat(1_025) }, 'INVALID_EVENT'],
    ['half a surrogate', { subject: '\ud800' }, 'INVALID_EVENT'],
    ['a zero byte', { correlationId: 'a\u0000' }, 'INVALID_EVENT'],
    ['a number as source', { source: 7 as unknown as string }, 'INVALID_EVENT'],
    ['a text as time', { time: '2020' as unknown as Date }, 'INVALID_EVENT'],
    ['an invalid date', { deliverAt: new Date(Number.NaN) }, 'INVALID_EVENT'],
    ['two dates', { delay: 1, deliverAt: new Date() }, 'INVALID_OPTION'],
    ['a negative delay', { delay: -1 }, 'INVALID_OPTION'],
    ['a topic with spaces', { topic: 'a b' }, 'INVALID_NAME'],
    ['an extension in capitals', { extensions: { Tenant: 'x' } }, 'INVALID_EVENT'],
    ['an extension in the place of an attribute', { extensions: { partitionkey: 'x' } }, 'INVALID_EVENT'],
    ['an extension that is an object', { extensions: { a: {} as string } }, 'INVALID_EVENT'],
    ['an extension that is not finite', { extensions: { a: Infinity } }, 'INVALID_EVENT'],
  ])('refuses %s', (_name, options, code) => {
    expect(() => createEvent('a.b', 1, options)).toThrowError(coded(code))
  })

  test('refuses types with a star, and those without a telling topic', () => {
    expect(() => createEvent('a.*', 1)).toThrowError(coded('INVALID_EVENT'))
    expect(() => createEvent('com.acme.order', 1)).toThrowError(coded('TOPIC_AMBIGUOUS'))
    expect(createEvent('com.acme.order', 1, { topic: 'acme' }).topic).toBe('acme')
  })
})

describe('an event behaves as a plain object', () => {
  const event = createEvent('a.b', { n: 1 }, { id: '1', key: 'k', time: new Date(0) })

  test('spread', () => {
    expect({ ...event }).toEqual({
      id: '1',
      type: 'a.b',
      source: '/millrace',
      topic: 'a',
      time: new Date(0),
      key: 'k',
      extensions: {},
      data: { n: 1 },
      [Symbol.for('millrace.payload')]: expect.any(Payload),
    })
  })

  test('JSON.stringify', () => {
    expect(JSON.parse(JSON.stringify(event))).toEqual({
      id: '1',
      type: 'a.b',
      source: '/millrace',
      topic: 'a',
      time: '1970-01-01T00:00:00.000Z',
      key: 'k',
      extensions: {},
      data: { n: 1 },
    })
  })

  test('inspect', () => {
    expect(inspect(event)).toMatch(/^MillraceEvent \{\s+id: '1',[^]+data: \{ n: 1 \}\s+\}$/)
    expect(inspect(event)).not.toContain('Payload')
  })

  test('inspect, when the data cannot be decoded', () => {
    expect(inspect(arrived('{'))).toContain('DECODE_FAILED')
  })
})

describe('with', () => {
  const event = createEvent('order.placed', { n: 1 }, { key: 'k', subject: 's' })

  test('changes what is named and keeps the rest, the id too', () => {
    const changed = event.with({ subject: 't', data: { n: 2 } })
    expect(changed).toMatchObject({ id: event.id, key: 'k', subject: 't', data: { n: 2 }, time: event.time })
    expect(event).toMatchObject({ subject: 's', data: { n: 1 } })
  })

  test('another type brings its default topic, unless the topic was chosen', () => {
    expect(event.with({ type: 'invoice.sent' })).toMatchObject({ type: 'invoice.sent', topic: 'invoice' })
    expect(event.with({ topic: 'x' }).with({ type: 'invoice.sent' }).topic).toBe('x')
    expect(event.with({ type: 'order.paid' }).topic).toBe('order')
  })

  test('data that travelled stays byte for byte', () => {
    const raw = '{"b":12345678901234567890, "a":1}'
    expect(Buffer.from(arrived(raw).with({ subject: 'x' }).bytes).toString()).toBe(raw)
  })

  test('other data of the same kind keeps its content type', () => {
    expect(arrived('a,b', 'text/csv').with({ data: 'c,d' })).toMatchObject({
      contentType: 'text/csv',
      data: 'c,d',
    })
    expect(arrived('a,b', 'text/csv').with({ data: 1 }).contentType).toBeUndefined()
  })

  test('data can be taken away', () => {
    expect(event.with({ data: undefined }).bytes).toHaveLength(0)
  })

  test.each<[Parameters<MillraceEvent['with']>[0], string]>([
    [{ key: '' }, 'INVALID_EVENT'],
    [{ id: '' }, 'INVALID_EVENT'],
    [{ type: 'a.*' }, 'INVALID_EVENT'],
    [{ topic: '' }, 'INVALID_NAME'],
  ])('refuses %j', (changes, code) => {
    expect(() => event.with(changes)).toThrowError(coded(code))
  })
})

test('bytes are the data as it travelled, or as it would', () => {
  expect(Buffer.from(arrived('{"a" : 1}').bytes).toString()).toBe('{"a" : 1}')
  expect(Buffer.from(createEvent('a.b', { a: 'ü' }).bytes).toString()).toBe('{"a":"ü"}')
})
