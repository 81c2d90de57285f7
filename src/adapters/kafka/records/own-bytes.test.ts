import { expect, test } from 'vitest'
import type { KafkaEvent } from '../consuming/kafka-event.ts'
import { describeWithServer } from '../../../../test/servers/describe-with-server.ts'
import { event, newName, open, receive, spec } from '../../../../test/kafka/sessions.ts'
import { kafkaFromUrl } from '../index.ts'
import { ownBytes } from './own-bytes.ts'

const read = Buffer.alloc(64 * 1024, 'read')
const record = {
  length: 30,
  attributes: 0,
  timestampDelta: 5n,
  offsetDelta: 7,
  key: read.subarray(10, 14),
  value: null,
  headers: [
    [read.subarray(100, 107), read.subarray(200, 210)],
    [read.subarray(300, 301), null],
  ] as [Buffer, Buffer | null][],
}

test('a record with bytes of its own says the same, and does not keep what was read with it', () => {
  const own = ownBytes(record)
  expect(own).toEqual(record)
  for (const part of [own.key, ...own.headers.flat()]) {
    if (part !== null) expect(part.buffer.byteLength).toBe(22)
  }
  expect(ownBytes(own)).toBe(own)
})

await describeWithServer('kafka', (server) => {
  test('what is parked, and what waits behind it, does not keep what was read with it', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await using transport = kafkaFromUrl(`${server}?partitions=1`)
    await transport.declare([spec(queue, topic, { order: true })])
    const text = 'x'.repeat(1_000)
    await transport.publish(
      Array.from({ length: 100 }, (_, n) => event(topic, text, { key: n > 97 ? 'last' : `key ${n}` })),
    )
    const session = await open(transport, queue, { order: true })
    const bytesOf = (one: unknown): number => (one as KafkaEvent).record.value!.buffer.byteLength
    const first = await receive(session, 99)
    expect(bytesOf(first[98])).toBeGreaterThan(10_000)
    await session.settle(first.map((of) => ({ of, as: 'retry', park: true, delay: 300 })))
    await expect(session.exchange({ settle: [], max: 1 })).resolves.toMatchObject({ received: [] })
    const again = await receive(session, 100)
    expect(Math.max(...again.map(bytesOf))).toBeLessThan(2_000)
    await session.close()
  })
})
