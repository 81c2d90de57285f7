import { murmur2 as clients } from '@platformatic/kafka'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2 } from './murmur2.ts'

test('a key goes to the partition to which the clients of Kafka send it', () => {
  // The values of Kafka's own test of its Java client, without the sign.
  expect(murmur2(Buffer.from('21'))).toBe(-973932308 & 0x7fffffff)
  expect(murmur2(Buffer.from('foobar'))).toBe(-790332482 & 0x7fffffff)
  expect(murmur2(Buffer.from('a-little-bit-long-string'))).toBe(-985981536 & 0x7fffffff)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(murmur2(bytes)).toBe(clients(Buffer.from(bytes)) & 0x7fffffff)
    }),
  )
})
