import { expect, test } from 'vitest'
import { isMillraceError, messageOf, MillraceError } from './millrace-error.ts'

test('an error has its code, its remedy and its cause', () => {
  const cause = new Error('beneath')
  const error = new MillraceError('STORE_FULL', 'No room for e1', { cause })
  expect(error).toMatchObject({ name: 'MillraceError', code: 'STORE_FULL', message: 'No room for e1', cause })
  expect(error.remedy).toBe(
    'Free disk space; on the memory transport, handle faster or purge dead letters; give entries of a memory store a `ttl`. What was taken before is safe.',
  )
})

test('is recognised across copies of the library, with and without a code', () => {
  const foreign = Object.assign(new Error('x'), { [Symbol.for('millrace.error')]: true, code: 'STOPPED' })
  expect(isMillraceError(foreign)).toBe(true)
  expect(isMillraceError(foreign, 'STOPPED')).toBe(true)
  expect(isMillraceError(foreign, 'STOPPING')).toBe(false)
  expect(isMillraceError(new Error('x'))).toBe(false)
  expect(isMillraceError(null)).toBe(false)
  expect(isMillraceError('STOPPED')).toBe(false)
})

test.each([
  ['an error', new Error('text'), 'text'],
  ['a text', 'text', 'text'],
  ['nothing', undefined, 'undefined'],
  [
    'an error whose message is an object',
    Object.assign(new Error('x'), { message: { a: 1 } }),
    '[object Object]',
  ],
  ['an error whose message is undefined', Object.assign(new Error('x'), { message: undefined }), 'undefined'],
  ['an object without a prototype', Object.create(null) as object, 'a value that cannot be shown'],
])('the message of %s', (_name, thrown, message) => {
  expect(messageOf(thrown)).toBe(message)
})
