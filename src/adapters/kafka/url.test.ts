import { expect, test } from 'vitest'
import { isMillraceError } from '../../errors/millrace-error.ts'
import { kafka, kafkaFromUrl } from './index.ts'
import { optionsFromUrl } from './url.ts'

test.each([
  'kafka://localhost:9092',
  'kafka://localhost:9092/',
  'kafka://a:9092,b:9092?partitions=6&replicas=3&clientId=shop',
  'kafkas://user:p%40ss@a:9093?mechanism=SCRAM-SHA-512',
  'kafka://[::1]:9092?tls=true',
])('%s is taken, and nothing is connected before it is used', async (url) => {
  const transport = kafkaFromUrl(url)
  expect(transport.system).toBe('kafka')
  await transport.close()
})

test.each([
  ['kafka:', 'kafka://host:9092'],
  ['kafka://localhost', 'host:port'],
  ['kafka://localhost:9092?partition=3', "no parameter 'partition'"],
  ['kafka://localhost:9092?partitions=0', '`partitions`'],
  ['kafka://localhost:9092?replicas=two', '`replicas`'],
  ['kafka://localhost:9092?tls=yes', '`tls`'],
  ['kafka://u:secret@localhost:9092?mechanism=MD5', '`mechanism`'],
  ['kafka://us%er:secret@localhost:9092', '%25'],
  ['kafka://user:100%secret@localhost:9092', '%25'],
  ['kafka://user:se?secret@localhost:9092', 'percent-encoded'],
  ['kafka://user:se/secret@localhost:9092', 'percent-encoded'],
  ['kafka://user@localhost:9092', 'password'],
  ['kafka://:secret@localhost:9092', 'name'],
])('%s is refused', (url, reason) => {
  expect(() => kafkaFromUrl(url)).toThrowError(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(reason) }),
  )
  expect(() => kafkaFromUrl(url)).not.toThrow(/secret/)
})

test('name and password may hold anything', () => {
  expect(optionsFromUrl('kafkas://a%3Ab:p@s:%73%2F@a:1,b:2?clientId=x@y').sasl).toEqual({
    mechanism: 'PLAIN',
    username: 'a:b',
    password: 'p@s:s/',
  })
  expect(optionsFromUrl('kafka://a:1?clientId=x@y')).toEqual({ brokers: 'a:1', tls: false, clientId: 'x@y' })
})

test('without brokers there is nothing to connect to', () => {
  expect(() => kafka({ brokers: [] })).toThrowError(expect.objectContaining({ code: 'INVALID_OPTION' }))
})

test('a broker that does not answer is TRANSPORT_UNREACHABLE', { timeout: 60_000 }, async () => {
  await using transport = kafka({ brokers: 'localhost:1' })
  const error: unknown = await transport.declare([]).catch((thrown: unknown) => thrown)
  expect(isMillraceError(error, 'TRANSPORT_UNREACHABLE')).toBe(true)
})
