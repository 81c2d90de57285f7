import { expect, test } from 'vitest'
import { isMillraceError } from '../../errors/millrace-error.ts'
import { kafka, kafkaFromUrl } from './index.ts'

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
  ['kafka://u:secret@localhost:9092?mechanism=MD5', '`mechanism`'],
])('%s is refused', (url, reason) => {
  expect(() => kafkaFromUrl(url)).toThrowError(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(reason) }),
  )
})

test('without brokers there is nothing to connect to', () => {
  expect(() => kafka({ brokers: [] })).toThrowError(expect.objectContaining({ code: 'INVALID_OPTION' }))
})

test('a broker that does not answer is TRANSPORT_UNREACHABLE', { timeout: 60_000 }, async () => {
  await using transport = kafka({ brokers: 'localhost:1' })
  const error: unknown = await transport.declare([]).catch((thrown: unknown) => thrown)
  expect(isMillraceError(error, 'TRANSPORT_UNREACHABLE')).toBe(true)
})
