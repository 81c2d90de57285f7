import { describe, expect, test, vi } from 'vitest'
import { createEvent, EventRecord, type MillraceEvent } from './event.ts'
import { encodeEvent, travelled } from './outgoing.ts'
import { Payload } from './payload.ts'

const coded = (code: string) => expect.objectContaining({ code })
const raw = '{"big":12345678901234567890, "a":{"n":1}}'
const arrived = (): EventRecord =>
  new EventRecord('1', 'a.b', 'k', { source: '/s', topic: 'a', time: 5 }, Payload.from(raw, undefined))

test('carries every attribute, and the data encoded', () => {
  const event = createEvent(
    'a.b',
    { n: 1 },
    {
      id: '1',
      key: 'k',
      source: '/s',
      subject: 'sub',
      topic: 't',
      time: new Date(5),
      deliverAt: new Date(9),
      correlationId: 'c',
      causationId: 'd',
      extensions: { x: 1 },
    },
  )
  expect(encodeEvent(event)).toEqual({
    id: '1',
    type: 'a.b',
    topic: 't',
    key: 'k',
    deliverAt: 9,
    head: {
      source: '/s',
      topic: 't',
      time: 5,
      subject: 'sub',
      deliverAt: 9,
      correlationId: 'c',
      causationId: 'd',
      contentType: undefined,
      extensions: { x: 1 },
    },
    data: '{"n":1}',
    size: expect.any(Number) as number,
  })
})

describe('objects of the shape of an event', () => {
  test('a spread event leaves byte for byte', () => {
    expect(encodeEvent({ ...arrived(), subject: 'x' } as unknown as MillraceEvent)).toMatchObject({
      data: raw,
      head: { subject: 'x' },
    })
  })

  test('a spread event with other data leaves with that', () => {
    expect(encodeEvent({ ...arrived(), data: { n: 2 } } as unknown as MillraceEvent).data).toBe('{"n":2}')
  })

  test('a spread event whose data was written into leaves with that', () => {
    const spread = { ...arrived() } as unknown as MillraceEvent
    ;(spread.data as { a: { n: number } }).a.n = 2
    expect(encodeEvent(spread).data).toBe('{"big":12345678901234567000,"a":{"n":2}}')
  })

  test('an event of another copy of the library leaves byte for byte', async () => {
    vi.resetModules()
    const copy = await import('./event.ts')
    const payloads = await import('./payload.ts')
    const foreign = new copy.EventRecord(
      '1',
      'a.b',
      undefined,
      { source: '/s', topic: 'a', time: 5 },
      payloads.Payload.from(raw, undefined),
    )
    expect(foreign).not.toBeInstanceOf(EventRecord)
    expect(encodeEvent(foreign)).toMatchObject({ id: '1', data: raw })
  })

  test('one written by hand', () => {
    const event = { id: '1', type: 'a.b', source: '/s', topic: 'a', time: new Date(5), data: 'x' }
    expect(encodeEvent({ ...event, contentType: 'text/plain' } as unknown as MillraceEvent)).toMatchObject({
      data: 'x',
      head: { contentType: 'text/plain' },
    })
  })

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'INVALID_EVENT'],
    ['null', null, 'INVALID_EVENT'],
    ['a text', 'order.placed', 'INVALID_EVENT'],
    ['no id', { id: undefined }, 'INVALID_EVENT'],
    ['a type with a star', { type: 'a.*' }, 'INVALID_EVENT'],
    ['no time', { time: undefined }, 'INVALID_EVENT'],
    ['a number as key', { key: 7 }, 'INVALID_EVENT'],
    ['null as key', { key: null }, 'INVALID_EVENT'],
    ['no topic', { topic: undefined }, 'INVALID_NAME'],
    ['a number as content type', { contentType: 5 }, 'INVALID_EVENT'],
    ['a bad extension', { extensions: { 'a-b': 1 } }, 'INVALID_EVENT'],
    ['data that is no JSON', { data: 1n }, 'DATA_NOT_JSON'],
  ])('refuses %s', (_name, wrong, code) => {
    const event = typeof wrong === 'object' && wrong !== null ? { ...createEvent('a.b', 1), ...wrong } : wrong
    expect(() => encodeEvent(event as MillraceEvent)).toThrowError(coded(code))
  })
})

test('the size of much data is at least what data and attributes take', () => {
  const { size } = encodeEvent(createEvent('a.b', 'ü'.repeat(10_000), { subject: '€'.repeat(500) }))
  expect(size).toBeGreaterThan(20_000 + 1_500)
  expect(size).toBeLessThan(20_000 + 1_500 + 1_000)
})

test.each([1, 100, 8_000, 20_000])('the size counts the bytes of the data, %d letters or so', (letters) => {
  const sizeOf = (letter: string): number =>
    encodeEvent(createEvent('a.b', letter.repeat(letters), { id: '1' })).size
  expect([sizeOf('ü') - sizeOf('u'), sizeOf('€') - sizeOf('u')]).toEqual([letters, 2 * letters])
})

test('what travelled has nothing to do with the original any more', () => {
  const data = { n: 1 }
  const event = travelled(encodeEvent(createEvent('a.b', data, { key: 'k', id: '1' })))
  data.n = 2
  expect(event).toMatchObject({ id: '1', type: 'a.b', key: 'k', data: { n: 1 } })
})
