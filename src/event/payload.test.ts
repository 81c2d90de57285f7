import { describe, expect, test } from 'vitest'
import { bytesOf, decodeData, encodeData, isJson, Payload, sizeOf } from './payload.ts'

const coded = (code: string) => expect.objectContaining({ code })
const travelled = '{"b":12345678901234567890,"a":"\\u00fc\\/", "nested":{"n":1}}'

describe('data that travelled', () => {
  test.each([
    ['nobody looked at', () => undefined],
    ['somebody read', (payload: Payload) => JSON.stringify(payload.value)],
    [
      'a schema made something else of',
      (payload: Payload) => {
        const make = (): unknown => ({ ...(payload.fresh() as object), at: new Date(0), big: 7n, f: () => 1 })
        payload.replace(make(), make)
      },
    ],
    [
      'an asynchronous schema made something else of',
      (payload: Payload) => payload.replace({ big: 7n }, undefined),
    ],
  ])('leaves byte for byte when %s', (_name, look) => {
    const payload = Payload.from(travelled, undefined)
    look(payload)
    expect(payload.encode()).toBe(travelled)
  })

  test('leaves changed when somebody wrote into it', () => {
    const payload = Payload.from(travelled, undefined)
    ;(payload.value as { nested: { n: number } }).nested.n = 2
    expect(payload.encode()).toBe('{"b":12345678901234567000,"a":"ü/","nested":{"n":2}}')
    expect(payload.outgoing).toBe(payload.value)
  })

  test("leaves changed when somebody wrote into a schema's output", () => {
    const payload = Payload.from('{"n":1}', undefined)
    const make = (): { n: number; doubled: number } => ({ n: 1, doubled: 2 })
    payload.replace(make(), make)
    ;(payload.value as { n: number }).n = 5
    expect(payload.encode()).toBe('{"n":5,"doubled":2}')
  })

  test("leaves changed when somebody wrote into an asynchronous schema's output", () => {
    const payload = Payload.from('{"n":1}', undefined)
    payload.replace({ n: 1 }, undefined)
    ;(payload.value as { n: number }).n = 5
    expect(payload.encode()).toBe('{"n":5}')
  })

  test('that became a cycle leaves as it came', () => {
    const payload = Payload.from('{"n":1}', undefined)
    const make = (): object => {
      const made: { self?: object } = {}
      made.self = made
      return made
    }
    payload.replace(make(), make)
    expect(payload.encode()).toBe('{"n":1}')
  })

  test('is decoded once, and anew for a schema', () => {
    const payload = Payload.from('{"a":1}', undefined)
    expect(payload.value).toBe(payload.value)
    expect(payload.fresh()).toEqual(payload.value)
    expect(payload.fresh()).not.toBe(payload.value)
  })
})

test.each<[string, unknown, string | undefined, unknown]>([
  ['an object', { a: [1, null, 'x'] }, undefined, { a: [1, null, 'x'] }],
  ['a text as JSON', 'x', undefined, 'x'],
  ['a text as text', 'x ü', 'text/plain; charset=utf-8', 'x ü'],
  ['null', null, undefined, null],
  ['false', false, 'application/json', false],
  ['nothing', undefined, undefined, undefined],
  ['bytes', Uint8Array.of(0, 255, 128), 'application/octet-stream', Uint8Array.of(0, 255, 128)],
])('%s arrives as it was', (_name, data, contentType, arrived) => {
  expect(decodeData(encodeData(data, contentType), contentType)).toEqual(arrived)
})

test('bytes are copied when they are encoded', () => {
  const bytes = Uint8Array.of(1, 2)
  const raw = encodeData(bytes, 'application/octet-stream')
  bytes[0] = 9
  expect(raw).toEqual(Uint8Array.of(1, 2))
})

test('bytes without a content type are bytes, not JSON', () => {
  expect(Payload.of(Uint8Array.of(1)).contentType).toBe('application/octet-stream')
  expect(Payload.of(Uint8Array.of(1), 'image/png').contentType).toBe('image/png')
  expect(Payload.of({}).contentType).toBeUndefined()
})

test.each<[string | undefined, unknown, string | undefined]>([
  ['image/png', Uint8Array.of(1), 'image/png'],
  ['text/csv', 'a,b', 'text/csv'],
  ['text/csv', { a: 1 }, undefined],
  ['image/png', { a: 1 }, undefined],
  ['application/vnd.acme+json', { a: 1 }, 'application/vnd.acme+json'],
  ['application/json', Uint8Array.of(1), 'application/octet-stream'],
  [undefined, 'a', undefined],
])('in place of %s, %j travels as %s', (before, data, after) => {
  expect(Payload.inPlaceOf(before, data).contentType).toBe(after)
})

test.each<[string, unknown]>([
  ['a BigInt', { n: 1n }],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a toJSON that throws', { toJSON: () => expect.unreachable() }],
])('%s cannot travel as JSON', (_name, data) => {
  expect(() => encodeData(data, undefined)).toThrowError(coded('DATA_NOT_JSON'))
})

test('a cycle cannot travel as JSON', () => {
  const data: { self?: unknown } = {}
  data.self = data
  expect(() => encodeData(data, undefined)).toThrowError(coded('DATA_NOT_JSON'))
})

/** Bun's engine does not tell where the mistake is. */
const place = process.versions['bun'] === undefined ? ': at position 10' : ''

test.each([
  ['{"password": hunter2}', 'The data is not JSON'],
  ['undefined', 'The data is not JSON'],
  ['{"hunter2"}', `The data is not JSON${place}`],
])('%s is not decoded, and not quoted', (raw, message) => {
  expect(() => decodeData(raw, undefined)).toThrowError(
    expect.objectContaining({ code: 'DECODE_FAILED', message }),
  )
})

test('bytes that are no UTF-8 are not decoded as text', () => {
  expect(() => decodeData(Uint8Array.of(0x22, 0xff, 0x22), undefined)).toThrowError(coded('DECODE_FAILED'))
  expect(() => decodeData(Uint8Array.of(0xff), 'text/plain')).toThrowError(coded('DECODE_FAILED'))
})

test.each([
  [undefined, true],
  ['application/json', true],
  ['Application/JSON; charset=utf-8', true],
  ['application/cloudevents+json', true],
  ['text/json', true],
  ['text/plain', false],
  ['application/jsonish', false],
])('JSON: %s: %s', (contentType, json) => {
  expect(isJson(contentType)).toBe(json)
})

test('sizes are counted in bytes of UTF-8', () => {
  expect(sizeOf('ü€😀')).toBe(9)
  expect(sizeOf(Uint8Array.of(1, 2))).toBe(2)
  expect(bytesOf('ü')).toEqual(Buffer.from([0xc3, 0xbc]))
})
