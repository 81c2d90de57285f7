import { expect, test } from 'vitest'
import { redacted, schemeOf } from './url.ts'

test.each([
  ['kafka://user:p@ss:word@host:9092/x', 'kafka://user:***@host:9092/x'],
  ['postgres://user:secret@host/db?sslmode=require', 'postgres://user:***@host/db?sslmode=require'],
  ['kafka://host:9092?saslPassword=hush&partitions=3', 'kafka://host:9092?saslPassword=***&partitions=3'],
  ['sqlite:/var/lib/a@b:c.db', 'sqlite:/var/lib/a@b:c.db'],
  ['kafka://host:9092', 'kafka://host:9092'],
])('%s is shown as %s', (url, shown) => {
  expect(redacted(url)).toBe(shown)
})

test('an unknown scheme is refused at once, and its password is not shown', () => {
  expect(() => schemeOf('mqtt://me:hush@host')).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_TRANSPORT' }),
  )
  expect(() => schemeOf('mqtt://me:hush@host')).toThrow(/mqtt:\/\/me:\*\*\*@host/)
  expect(() => schemeOf('shop.db')).toThrow(/shop\.db/)
})
