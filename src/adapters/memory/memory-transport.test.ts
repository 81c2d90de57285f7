import { expect, test } from 'vitest'
import { manualClock } from '../../clock/manual-clock.ts'
import type { SessionOptions } from '../../contract/transport.ts'
import { createEvent, type EventOptions } from '../../event/event.ts'
import { encodeEvent, type Outgoing } from '../../event/outgoing.ts'
import { MemoryTransport } from './memory-transport.ts'

const clock = manualClock()
const spec = { name: 'q', subscriptions: [{ topic: '*', pattern: '*' }], from: 'now', order: false } as const
const options: SessionOptions = {
  lease: 30_000,
  order: false,
  clock,
  notice() {},
  onRevoke() {},
  onLost() {},
}
const numbered = (i: number, more: EventOptions = {}): Outgoing =>
  encodeEvent(createEvent('order.placed', i, more))

test('of unrouted events the latest 10,000 are kept', async () => {
  const transport = new MemoryTransport({ clock })
  await transport.publish(Array.from({ length: 25_000 }, (_, i) => numbered(i)))
  await transport.declare([{ ...spec, from: 'beginning' }])
  const session = await transport.open('q', options)
  const { received } = await session.exchange({ settle: [], max: 25_000 })
  expect([received.length, received[0]?.data, received.at(-1)?.data]).toEqual([10_000, '15000', '24999'])
})

test('a test kit is told of every change, and when the next event is due', async () => {
  const transport = new MemoryTransport({ clock })
  let changes = 0
  const end = transport.onChange(() => changes++)
  const seen = async (step: () => Promise<unknown>): Promise<boolean> => {
    const before = changes
    await step()
    return changes > before
  }
  await transport.declare([spec])
  const session = await transport.open('q', options)
  expect(transport.dueIn).toBe(undefined)
  expect(await seen(() => transport.publish([numbered(0)]))).toBe(true)
  const { received } = await session.exchange({ settle: [], max: 1 })
  expect(await seen(() => session.settle(received.map((of) => ({ of, as: 'retry', delay: 5_000 }))))).toBe(
    true,
  )
  expect(transport.dueIn).toBe(5_000)
  await transport.publish([numbered(1, { deliverAt: new Date(clock.now() + 2_000) })])
  expect(transport.dueIn).toBe(2_000)
  clock.advance(3_000)
  expect(transport.dueIn).toBe(2_000)
  expect(await seen(() => session.exchange({ settle: [], max: 1 }))).toBe(true)
  expect(await seen(() => session.close())).toBe(true)
  end()
  expect(await seen(() => transport.publish([numbered(2)]))).toBe(false)
})

test('a delayed event comes although the wall clock is set while a session waits', async () => {
  let offset = 0
  const stepped = {
    ...clock,
    now: () => clock.now() + offset,
    monotonic: clock.monotonic,
    after: clock.after,
  }
  const transport = new MemoryTransport({ clock: stepped })
  await transport.declare([spec])
  const session = await transport.open('q', { ...options, clock: stepped })
  await transport.publish([numbered(0, { deliverAt: new Date(stepped.now() + 3_600_000) })])
  const waiting = session.ready(new AbortController().signal)
  offset = 3_600_000
  clock.advance(60_000)
  await waiting
  expect((await session.exchange({ settle: [], max: 1 })).received).toHaveLength(1)
})
