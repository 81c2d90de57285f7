import { describe, expect, test } from 'vitest'
import type { EventHead } from './event.ts'
import { decodeHead, encodeHead, encodeHeads } from './head.ts'

const head = {
  source: '/shop',
  topic: 'order',
  time: 1_700_000_000_000,
  subject: 'a "quoted" ü \u2028',
  deliverAt: 1_700_000_000_001,
  correlationId: 'c',
  causationId: 'd',
  contentType: 'text/plain',
  extensions: { a: 1, b: true, c: 'x' },
}

test('comes back as it was, on one line', () => {
  expect(decodeHead(encodeHead(head))).toEqual(head)
  expect(encodeHead({ ...head, subject: 'two\nlines' })).not.toContain('\n')
})

test('attributes that were not given are left out', () => {
  expect(encodeHead({ source: '/s', topic: 't', time: 1, subject: undefined })).toBe(
    '{"source":"/s","topic":"t","time":1}',
  )
})

test.each([
  '',
  '{',
  'null',
  '7',
  '[]',
  '{}',
  '{"source":"/s","topic":"t"}',
  '{"source":"/s","topic":1,"time":1}',
])('%s is no head', (text) => {
  expect(() => decodeHead(text)).toThrowError(expect.objectContaining({ code: 'DECODE_FAILED' }))
})

describe('heads of events that leave together', () => {
  const one: Required<EventHead> = {
    source: '/s',
    topic: 't',
    time: 1,
    subject: 'sub',
    deliverAt: 2,
    delayed: true,
    correlationId: 'c',
    causationId: 'd',
    contentType: 'text/plain',
    extensions: { x: 1 },
  }
  const other: Required<EventHead> = {
    source: '/o',
    topic: 'o',
    time: 3,
    subject: 'o',
    deliverAt: 4,
    delayed: false,
    correlationId: 'o',
    causationId: 'o',
    contentType: 'text/html',
    extensions: { x: 2 },
  }

  test.each(Object.keys(one) as (keyof EventHead)[])('differ where only %s does', (name) => {
    const heads = [one, { ...one }, { ...one, [name]: other[name] }, { ...one, [name]: undefined }, one]
    expect(encodeHeads(heads)).toEqual(heads.map(encodeHead))
  })

  test('none is none', () => {
    expect(encodeHeads([])).toEqual([])
  })
})

test('a decoded head cannot be changed: events that came together share it', () => {
  const text = encodeHead({ source: '/s', topic: 't', time: 1, extensions: { x: 1 } })
  const decoded = decodeHead(text)
  expect(decodeHead(`${text.slice(0, -1)}}`)).toBe(decoded)
  expect(Object.isFrozen(decoded) && Object.isFrozen(decoded.extensions)).toBe(true)
  expect(decodeHead(encodeHead({ source: '/o', topic: 't', time: 1 }))).toEqual({
    source: '/o',
    topic: 't',
    time: 1,
  })
  expect(decodeHead(text)).toEqual(decoded)
})
