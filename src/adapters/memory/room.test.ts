import { expect, test } from 'vitest'
import { manualClock } from '../../clock/manual-clock.ts'
import type { DeadLetterRecord } from '../../contract/dead-letter.ts'
import { PublishError } from '../../contract/publish-error.ts'
import type { Received, Session, SessionOptions, Settlement } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent, type Outgoing } from '../../event/outgoing.ts'
import { MemoryTransport } from './memory-transport.ts'

const clock = manualClock()
const room = 100_000
const spec = {
  name: 'q',
  subscriptions: [{ topic: '*', pattern: 'order.*' }],
  from: 'now',
  order: true,
} as const
const options: SessionOptions = {
  lease: 30_000,
  order: true,
  clock,
  notice() {},
  onRevoke() {},
  onLost() {},
}
const note = 'x'.repeat(1_000)
const record: DeadLetterRecord = {
  error: { name: 'Error', message: 'broken' },
  attempts: 1,
  firstFailedAt: 0,
  deadAt: 0,
  history: [],
}

let last = 0
const event = (type = 'order.placed'): Outgoing =>
  encodeEvent(createEvent(type, { n: ++last, note }, { key: `k${last % 3}` }))

/** Publishes pairs of events until one pair is refused. Returns the number taken. */
async function fill(transport: MemoryTransport): Promise<number> {
  for (let taken = 0; taken < 1_000; taken += 2) {
    try {
      await transport.publish([event(), event()])
    } catch (error) {
      expect(error).toBeInstanceOf(PublishError)
      expect(error).toMatchObject({ code: 'STORE_FULL', retryable: true, results: ['rejected', 'rejected'] })
      return taken
    }
  }
  throw new Error('Nothing was refused')
}

async function full(): Promise<{ transport: MemoryTransport; session: Session; count: number }> {
  const transport = new MemoryTransport({ clock, room })
  await transport.declare([spec])
  const session = await transport.open('q', options)
  return { transport, session, count: await fill(transport) }
}

async function settleAll(session: Session, how: Omit<Settlement, 'of'>): Promise<readonly Received[]> {
  const { received } = await session.exchange({ settle: [], max: 1_000 })
  expect(await session.settle(received.map((of) => ({ of, ...how })))).toBe(undefined)
  return received
}

test('a publish is refused while the room is full, and taken again when events were handled', async () => {
  const { transport, session, count } = await full()
  // An event of 1,000 bytes takes more than that, for its attributes and its place.
  expect(count).toBeGreaterThan(room / 3_000)
  expect(count).toBeLessThan(room / 1_000)
  expect(await settleAll(session, { as: 'ack' })).toHaveLength(count)
  expect(await fill(transport)).toBe(count)
})

test('an event takes its room in each queue', async () => {
  const transport = new MemoryTransport({ clock, room })
  await transport.declare([spec, { ...spec, name: 'second' }])
  const both = await fill(transport)
  const { count } = await full()
  expect(Math.abs(both - count / 2)).toBeLessThanOrEqual(2)
  expect(await transport.admin.removeQueue('second')).toBe(both)
  expect(Math.abs(both + (await fill(transport)) - count)).toBeLessThanOrEqual(2)
})

test('what was taken is never refused a place, and keeps its room until it is gone', async () => {
  const { transport, session, count } = await full()
  const history = [{ at: 0, message: note }]
  const trail = { firstFailedAt: 0, history }
  expect(await settleAll(session, { as: 'release' })).toHaveLength(count)
  expect(await fill(transport)).toBe(0)
  expect(await settleAll(session, { as: 'retry', delay: 1_000, park: true, trail })).toHaveLength(count)
  expect(await fill(transport)).toBe(0)
  clock.advance(1_000)
  expect(await settleAll(session, { as: 'dead', record: { ...record, history } })).toHaveLength(count)
  expect(await fill(transport)).toBe(0)
  expect(await transport.admin.redrive('q', undefined)).toBe(count)
  expect(await fill(transport)).toBe(0)
  expect(await settleAll(session, { as: 'dead', record })).toHaveLength(count)
  expect(await transport.admin.purge('q', undefined)).toBe(count)
  expect(await fill(transport)).toBe(count)
})

test('unrouted events make room: the oldest go first', async () => {
  const transport = new MemoryTransport({ clock, room })
  const unrouted = Array.from({ length: 200 }, () => event('note.made'))
  for (const one of unrouted) await transport.publish([one])
  await transport.declare([spec])
  await transport.publish([event()])
  await transport.declare([
    { ...spec, name: 'notes', subscriptions: [{ topic: '*', pattern: 'note.*' }], from: 'beginning' },
  ])
  const session = await transport.open('notes', options)
  const kept = await settleAll(session, { as: 'ack' })
  expect(kept.length).toBeGreaterThan(room / 3_000)
  expect(kept.length).toBeLessThan(room / 1_000)
  expect(kept.map(({ id }) => id).toSorted()).toEqual(
    unrouted
      .slice(-kept.length)
      .map(({ id }) => id)
      .toSorted(),
  )
})

test('unrouted events are no reason to refuse one that a queue waits for', async () => {
  const { count } = await full()
  const transport = new MemoryTransport({ clock, room })
  for (let i = 0; i < 200; i++) await transport.publish([event('note.made')])
  await transport.declare([spec])
  expect(await fill(transport)).toBe(count)
})
