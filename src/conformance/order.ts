import { expect } from 'vitest'
import type { Features } from '../contract/features.ts'
import type { Received, Session } from '../contract/transport.ts'
import { dataOf, numbers, numbersOf, shortLease, type Bench, type Case } from './harness.ts'

export const noOrder = ({ order }: Features): string | undefined =>
  order === 'key' ? undefined : "features.order is 'none'"
export interface Ordered {
  readonly queue: string
  readonly session: Session
  /** A second consumer, on another instance where there can be one. */
  readonly second: Session
}

export async function ordered(bench: Bench): Promise<Ordered> {
  const queue = await bench.queue('ordered', { order: true })
  const session = await bench.session(queue, { order: true })
  return { queue, session, second: await bench.session(queue, { order: true, on: bench.other }) }
}

/** Publishes events whose data is their number, with one key for all. */
export async function publishKeyed(bench: Bench, key: string, ...data: readonly number[]): Promise<void> {
  await bench.publish(...data.map((i) => bench.event('numbered', i, { key })))
}

export async function acknowledge(
  bench: Bench,
  session: Session,
  received: readonly Received[],
): Promise<void> {
  await bench.settle(session, ...received.map((of) => ({ of, as: 'ack' as const })))
}

/** Order by key. */
export const order: readonly Case[] = [
  {
    name: 'events of a key come in their order, and to one session at a time',
    unless: noOrder,
    async run(bench) {
      const { session, second } = await ordered(bench)
      const [keys, each] = [7, 30]
      await bench.publish(...bench.events(keys * each, (i) => ({ key: `key ${i % keys}` })))
      const sessions = [session, second]
      const held = new Map<Session, readonly Received[]>(sessions.map((one) => [one, []]))
      const last = new Map<string, number>()
      let count = 0
      let turn = 0
      let woken: Session | undefined
      await bench.until(`${keys * each} events`, async () => {
        // Each session holds its events while the other one claims. What one has waited for may be for nobody else.
        const own = woken ?? sessions[turn++ % 2]!
        await acknowledge(bench, own, held.get(own) ?? [])
        const { received } = await own.exchange({ settle: [], max: 4 })
        held.set(own, received)
        const foreign = new Set(
          sessions.flatMap((one) => (one === own ? [] : (held.get(one) ?? []))).map(({ key }) => key),
        )
        for (const one of received) {
          const key = one.key ?? ''
          expect(foreign.has(key), `${key} is held by both sessions`).toBe(false)
          expect(dataOf(one), `${key} came out of order`).toBe(
            (last.get(key) ?? Number(key.slice(4)) - keys) + keys,
          )
          last.set(key, dataOf(one) as number)
          count++
        }
        woken = sessions.every((one) => held.get(one)?.length === 0) ? own : undefined
        return count >= keys * each ? 'done' : { waitFor: woken, state: `${count} came` }
      })
      for (const one of sessions) await acknowledge(bench, one, held.get(one) ?? [])
    },
  },
  {
    name: 'an ack that frees a key wakes the other sessions',
    unless: noOrder,
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1, 2)
      const zero = await bench.receiveOne(session)
      await bench.nothing(second, 'a key that another session holds was handed out')
      const settled = second.ready(new AbortController().signal)
      await bench.settle(session, { of: zero, as: 'ack' })
      await bench.soon('ready, after another session settled the event that held the key', settled)
      const one = await bench.receiveOne(second, 'normal', 'event 1, after event 0 was acknowledged')
      await bench.nothing(session, 'a key that another session holds was handed out')
      const exchanged = session.ready(new AbortController().signal)
      await second.exchange({ settle: [{ of: one, as: 'ack' }], max: 0 })
      await bench.soon('ready, after the event that held the key was settled in an exchange', exchanged)
      const two = await bench.receiveOne(session, 'normal', 'event 2, after event 1 was acknowledged')
      expect([one, two].map(dataOf)).toEqual([1, 2])
    },
  },
  {
    name: 'a key that is held elsewhere waits; ready wakes when it is free',
    unless: noOrder,
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1)
      const first = await bench.receiveOne(session)
      await bench.nothing(second, 'a key that another session holds was handed out')
      const settled = bench.settle(session, { of: first, as: 'ack' })
      const [next] = await Promise.all([bench.receiveOne(second), settled])
      expect(dataOf(next)).toBe(1)
    },
  },
  {
    name: 'other keys, and events without a key, do not wait for a held key',
    unless: noOrder,
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'hot', ...numbers(500))
      await bench.receiveOne(session)
      await publishKeyed(bench, 'b', 1_000, 1_001)
      await bench.publish(bench.event('numbered', 1_002))
      expect(numbersOf(await bench.handle(second, 3)).toSorted()).toEqual([1_000, 1_001, 1_002])
      await bench.nothing(second, 'a key that another session holds was handed out')
    },
  },
  {
    name: 'release puts an event back at its place',
    unless: noOrder,
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1, 2, 3)
      const [zero, one, two] = await bench.receive(session, 3)
      await bench.settle(
        session,
        { of: two!, as: 'release' },
        { of: zero!, as: 'release' },
        { of: one!, as: 'release' },
      )
      expect(numbersOf(await bench.receive(second, 4))).toEqual([0, 1, 2, 3])
    },
  },
  {
    name: 'closing a session puts its events back at their places',
    unless: noOrder,
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', ...numbers(20))
      await bench.receive(session, 10)
      await session.close()
      expect(numbersOf(await bench.receive(second, 20))).toEqual(numbers(20))
    },
  },
  {
    name: 'a delayed event stands outside of the order until it is due',
    unless: noOrder,
    async run(bench) {
      const { session } = await ordered(bench)
      await bench.publish(
        bench.event('numbered', 0, { key: 'a', deliverAt: new Date(bench.clock.now() + 600_000) }),
      )
      await publishKeyed(bench, 'a', 1, 2)
      expect(numbersOf(await bench.handle(session, 2))).toEqual([1, 2])
      await bench.nothing(session, 'a delayed event came early')
    },
  },
  {
    name: 'events whose lease ran out hold back their key, and are handed out in its order',
    unless: (features) =>
      noOrder(features) ??
      (features.leases === 'timed' ? undefined : `features.leases is '${features.leases}'`),
    async run(bench) {
      const { queue, session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1, 2)
      const crashed = await bench.session(queue, { order: true, lease: shortLease })
      await bench.receive(crashed, 2)
      const zero = await bench.receiveOne(session, 'lapsed')
      expect(dataOf(zero)).toBe(0)
      const { received, lapsed = false } = await second.exchange({ settle: [], max: 10, lapsed: 10 })
      expect(received, 'a key that another session holds was handed out').toEqual([])
      expect(lapsed, '`lapsed` was told of an event that this session may not take').toBe(false)
      await bench.settle(session, { of: zero, as: 'ack' })
      await bench.nothing(second, 'an event overtook a lapsed one of its key')
      const one = await bench.receiveOne(second, 'lapsed')
      expect(dataOf(one)).toBe(1)
      await bench.settle(second, { of: one, as: 'ack' })
      expect(numbersOf(await bench.handle(second, 1))).toEqual([2])
    },
  },
  {
    name: 'an event whose lease ran out does not overtake one of its key that was given back',
    unless: (features) =>
      noOrder(features) ??
      (features.leases === 'timed' ? undefined : `features.leases is '${features.leases}'`),
    async run(bench) {
      const { queue, session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1)
      const crashed = await bench.session(queue, { order: true, lease: shortLease })
      await bench.receive(crashed, 2)
      await bench.settle(session, { of: await bench.receiveOne(session, 'lapsed'), as: 'release' })
      const { received, lapsed = false } = await second.exchange({ settle: [], max: 0, lapsed: 10 })
      expect(received.map(dataOf), 'an event overtook one of its key').toEqual([])
      expect(lapsed, '`lapsed` was told of an event that may not be taken yet').toBe(false)
      expect(numbersOf(await bench.handle(second, 1))).toEqual([0])
      expect(dataOf(await bench.receiveOne(second, 'lapsed'))).toBe(1)
    },
  },
  {
    name: 'an event whose lease ran out is not handed out while the session itself has another of its key',
    unless: (features) =>
      noOrder(features) ??
      (features.leases === 'timed' ? undefined : `features.leases is '${features.leases}'`),
    async run(bench) {
      const { queue, session } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1)
      const crashed = await bench.session(queue, { order: true, lease: shortLease })
      await bench.receive(crashed, 2)
      await bench.settle(session, { of: await bench.receiveOne(session, 'lapsed'), as: 'release' })
      const [zero] = await bench.receive(session, 1)
      expect(dataOf(zero!)).toBe(0)
      const { received, lapsed = false } = await session.exchange({ settle: [], max: 0, lapsed: 10 })
      // It would run at once, beside what the session has or before it.
      expect(received.map(dataOf), 'a second event of a key').toEqual([])
      expect(lapsed, '`lapsed` was told of an event that may not be taken yet').toBe(false)
      await bench.settle(session, { of: zero!, as: 'ack' })
      expect(dataOf(await bench.receiveOne(session, 'lapsed'))).toBe(1)
    },
  },
]
