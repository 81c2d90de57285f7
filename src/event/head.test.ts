import { expect, test } from 'vitest'
import { decodeHead, encodeHead } from './head.ts'

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
