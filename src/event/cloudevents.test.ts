import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  fromCloudEventAttributes,
  fromCloudEventBatch,
  fromCloudEventJson,
  toCloudEventAttributes,
  toCloudEventJson,
} from './cloudevents.ts'
import { createEvent, EventRecord, type MillraceEvent } from './event.ts'
import { Payload, type Raw } from './payload.ts'

const required = { specversion: '1.0', id: '1', type: 'order.placed', source: '/shop' }
const json = (members: object): string => JSON.stringify({ ...required, ...members })
const text = (event: MillraceEvent): string => Buffer.from(event.bytes).toString()
const coded = (code: string): unknown => expect.objectContaining({ code })

/** An event whose data somebody else encoded. */
function arrived(data: Raw, contentType?: string): MillraceEvent {
  const head = { source: '/shop', topic: 'order', time: 0 }
  return new EventRecord('1', 'order.placed', undefined, head, Payload.from(data, contentType))
}

function attributes(event: MillraceEvent): object {
  const { data: _, ...rest } = { ...event }
  return { ...rest }
}

const everything = createEvent(
  'order.placed',
  { total: 1 },
  {
    id: 'ä 1',
    key: 'k "1"',
    subject: 'Zürich 😀',
    source: '/shop',
    topic: 'orders',
    time: new Date('2026-01-31T09:30:00.123Z'),
    deliverAt: new Date('+012026-01-31T09:30:00.000Z'),
    correlationId: 'c',
    causationId: 'p',
    extensions: { dataschema: 'https://example.org/s', traceparent: '00-1', flag: true, count: -7 },
  },
)

describe('the JSON format', () => {
  test('carries every attribute', () => {
    const back = fromCloudEventJson(toCloudEventJson(everything))
    expect(attributes(back)).toEqual(attributes(everything))
    expect(back.data).toEqual({ total: 1 })
  })

  test('names ours as the specification says', () => {
    expect(JSON.parse(toCloudEventJson(everything))).toEqual({
      specversion: '1.0',
      id: 'ä 1',
      type: 'order.placed',
      source: '/shop',
      time: '2026-01-31T09:30:00.123Z',
      subject: 'Zürich 😀',
      datacontenttype: 'application/json',
      partitionkey: 'k "1"',
      millracetopic: 'orders',
      deliverat: '+012026-01-31T09:30:00.000Z',
      correlationid: 'c',
      causationid: 'p',
      dataschema: 'https://example.org/s',
      traceparent: '00-1',
      flag: true,
      count: -7,
      data: { total: 1 },
    })
  })

  test('keeps JSON data as it is written', () => {
    const data = '{"b":12345678901234567890, "a" : "\\u0041\\/",  "c":1.0}'
    const once = fromCloudEventJson(`{"data" : ${data} ,${json({}).slice(1)}`)
    expect(text(once)).toBe(data)
    expect(text(fromCloudEventJson(toCloudEventJson(once)))).toBe(data)
  })

  test('carries any data there and back', () => {
    const contentTypes = [
      undefined,
      'application/json; charset=utf-8',
      'application/x+json',
      'text/plain',
      'image/png',
    ]
    fc.assert(
      fc.property(
        fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }), fc.uint8Array()),
        fc.constantFrom(...contentTypes),
        (data, contentType) => {
          const event = arrived(data, contentType)
          const back = fromCloudEventJson(toCloudEventJson(event))
          expect(back.contentType).toBe(contentType)
          // White space around a JSON value is no part of it.
          expect(text(back).trim()).toBe(text(event).trim())
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test.each([
    ['no data', undefined, '', undefined],
    ['no data, of a JSON type', 'application/x+json', '', undefined],
    ['an empty text', 'text/plain', '', ''],
    ['null', undefined, 'null', null],
  ])('carries %s', (_, contentType, data, value) => {
    const back = fromCloudEventJson(toCloudEventJson(arrived(data, contentType)))
    expect(back.contentType).toBe(contentType)
    expect(back.data).toBe(value)
  })

  test('data that is not JSON cannot add attributes', () => {
    const forged = '1,"type":"order.paid","id":"2"'
    const back = fromCloudEventJson(toCloudEventJson(arrived(forged)))
    expect(back).toMatchObject({ id: '1', type: 'order.placed' })
    expect(text(back)).toBe(forged)
    expect(() => back.data).toThrow(coded('DECODE_FAILED'))
  })

  test('an extension cannot take the place of an attribute', () => {
    for (const name of ['id', 'type', 'data', 'specversion', 'partitionkey', 'millracetopic']) {
      expect(() => createEvent('a.b', 1, { extensions: { [name]: 'x' } })).toThrow(coded('INVALID_EVENT'))
    }
  })

  test('null is the same as absent, except for data', () => {
    const nothing = {
      subject: null,
      time: null,
      datacontenttype: null,
      data_base64: null,
      partitionkey: null,
      ext: null,
    }
    const event = fromCloudEventJson(json({ ...nothing, data: null }))
    expect(event).not.toHaveProperty('subject')
    expect(event).not.toHaveProperty('key')
    expect(event.extensions).toEqual({})
    expect(event.data).toBeNull()
  })

  test('base64 data becomes bytes', () => {
    const event = fromCloudEventJson(json({ datacontenttype: 'image/png', data_base64: 'AP8Q' }))
    expect(event.data).toEqual(Buffer.from([0, 255, 16]))
  })

  test('an unknown type gets its topic from the app', () => {
    const raw = json({ type: 'com.acme.order.placed' })
    expect(() => fromCloudEventJson(raw)).toThrow(coded('TOPIC_AMBIGUOUS'))
    expect(fromCloudEventJson(raw, { topicOf: () => 'acme' }).topic).toBe('acme')
  })

  test.each(['2026-01-31T09:30:00Z', '2026-01-31t10:30:00+01:00', '2026-01-31T09:30:00.000000001z'])(
    'takes the time %s',
    (time) => expect(fromCloudEventJson(json({ time })).time.toISOString()).toBe('2026-01-31T09:30:00.000Z'),
  )

  test.each([
    ['', 'DECODE_FAILED'],
    ['{"id":', 'DECODE_FAILED'],
    ['[]', 'DECODE_FAILED'],
    ['null', 'DECODE_FAILED'],
    ['"text"', 'DECODE_FAILED'],
    ['{}', 'DECODE_FAILED'],
    [Buffer.from([0x22, 0xff, 0x22]), 'DECODE_FAILED'],
    [json({ specversion: '0.3' }), 'DECODE_FAILED'],
    [json({ specversion: 1 }), 'DECODE_FAILED'],
    [json({ data_base64: 'AA==', data: 1 }), 'DECODE_FAILED'],
    [json({ data_base64: 'A!A=' }), 'DECODE_FAILED'],
    [json({ data_base64: 7 }), 'DECODE_FAILED'],
    [json({ id: '' }), 'INVALID_EVENT'],
    [json({ id: undefined }), 'INVALID_EVENT'],
    [json({ id: 7 }), 'INVALID_EVENT'],
    [json({ type: undefined }), 'INVALID_EVENT'],
    [json({ type: ['a'] }), 'INVALID_EVENT'],
    [json({ type: 'a.*' }), 'INVALID_EVENT'],
    [json({ source: undefined }), 'INVALID_EVENT'],
    [json({ source: null }), 'INVALID_EVENT'],
    [json({ subject: {} }), 'INVALID_EVENT'],
    [json({ subject: '' }), 'INVALID_EVENT'],
    [json({ time: 'yesterday' }), 'INVALID_EVENT'],
    [json({ time: '1' }), 'INVALID_EVENT'],
    [json({ time: '2026-13-31T09:30:00Z' }), 'INVALID_EVENT'],
    [json({ deliverat: 5 }), 'INVALID_EVENT'],
    [json({ datacontenttype: 5 }), 'INVALID_EVENT'],
    [json({ Upper: 'x' }), 'INVALID_EVENT'],
    [json({ nested: { a: 1 } }), 'INVALID_EVENT'],
    [`{"__proto__":"x",${json({}).slice(1)}`, 'INVALID_EVENT'],
    [json({ millracetopic: 'a b' }), 'INVALID_NAME'],
  ])('refuses %s', (raw, expected) => expect(() => fromCloudEventJson(raw)).toThrow(coded(expected)))
})

describe('a batch', () => {
  test('is an array of events, each with its own data', () => {
    const batch = `[ ${json({ id: 'a' }).slice(0, -1)},"data":12345678901234567890} , ${json({ id: 'b', data: [1] })} ]`
    const events = fromCloudEventBatch(batch)
    expect(events.map((event) => [event.id, text(event)])).toEqual([
      ['a', '12345678901234567890'],
      ['b', '[1]'],
    ])
    expect(fromCloudEventBatch('[]')).toEqual([])
  })

  test.each([json({}), `[${json({})},7]`, `[${json({})},{}]`, `[${json({})}`])('refuses %s', (raw) => {
    expect(() => fromCloudEventBatch(raw)).toThrow(coded('DECODE_FAILED'))
  })
})

describe('the binary mode', () => {
  const trip = (event: MillraceEvent): MillraceEvent => {
    const sent = toCloudEventAttributes(event)
    return fromCloudEventAttributes(sent.attributes, sent.contentType, sent.body)
  }

  test('carries every attribute, as text', () => {
    const back = trip(everything)
    const extensions = { ...everything.extensions, flag: 'true', count: '-7' }
    expect(attributes(back)).toEqual({ ...attributes(everything), extensions })
    expect(back.data).toEqual({ total: 1 })
  })

  test('leaves the data alone, malformed or not', () => {
    for (const data of ['{"a":12345678901234567890} ', '{"a":', Buffer.from([0xff])]) {
      expect(Buffer.from(trip(arrived(data)).bytes)).toEqual(Buffer.from(data))
    }
    expect(trip(arrived('')).data).toBeUndefined()
    expect(trip(arrived('', 'text/plain')).data).toBe('')
  })

  test('takes no attribute from what an event has elsewhere', () => {
    const strange = { ...required, data: 'x', data_base64: 'x', datacontenttype: 'x/y' }
    const event = fromCloudEventAttributes(strange, undefined, '1')
    expect(event.data).toBe(1)
    expect(event.extensions).toEqual({})
  })
})
