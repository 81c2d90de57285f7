import { expect } from 'vitest'
import type { Features } from '../contract/features.ts'
import type { Received, Session } from '../contract/transport.ts'
import { numbersOf, shortLease, type Bench, type Case } from './harness.ts'
import { record } from './record.ts'

/** Expects what the count of attempts must be after so many failures and lone crashes, as far as it is exact. */
function expectAttempt(
  { features }: Bench,
  { attempt }: Received,
  exact: { failures: number; crashes: number },
): void {
  const least = 1 + exact.failures + (features.attempts === 'failures' ? 0 : exact.crashes)
  if (features.attempts === 'upper') expect(attempt).toBeGreaterThanOrEqual(least)
  else expect(attempt).toBe(least)
}

/** A session whose leases run out soon holds the events, and is not heard of again. */
async function crash(
  bench: Bench,
  queue: string,
  count: number,
): Promise<{ session: Session; held: readonly Received[] }> {
  const session = await bench.session(queue, { lease: shortLease })
  return { session, held: await bench.receive(session, count) }
}

/** Waits until the session is told that an event's lease ran out. */
async function lapse(bench: Bench, session: Session): Promise<void> {
  await bench.until('a lease to run out', async () => {
    const { lapsed, received } = await session.exchange({ settle: [], max: 0 })
    expect(received).toEqual([])
    return lapsed === true ? 'done' : { waitFor: session, state: 'no exchange said lapsed' }
  })
}

/** A lease that ends with its session is never lost by time: what happens then is a matter of processes. */
const timed = ({ leases: kind }: Features): string | undefined =>
  kind === 'timed' ? undefined : `features.leases is '${kind}'`

/** What happens to events whose holder does not settle them, and to holders that come too late. */
export const leases: readonly Case[] = [
  {
    name: 'an event whose lease ran out is handed out by lapsed only, and that counts no attempt yet',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('placed'))
      await crash(bench, queue, 1)
      const session = await bench.session(queue, { on: bench.other })
      await lapse(bench, session)
      await bench.nothing(session, 'a normal claim returned an event whose lease had run out')
      const received = await bench.receiveOne(session, 'lapsed')
      expect(received.lapsed).toBe(true)
      expectAttempt(bench, received, { failures: 0, crashes: 0 })
      await bench.settle(session, { of: received, as: 'ack' })
      expect((await session.exchange({ settle: [], max: 0, lapsed: 10 })).received).toEqual([])
    },
  },
  {
    name: 'ready wakes when a lease runs out, and does not spin once its session knows',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('placed'))
      await crash(bench, queue, 1)
      const session = await bench.session(queue)
      await lapse(bench, session)
      const wakes = await bench.wakes(session, 50)
      expect(
        wakes,
        'ready resolved again and again for an event that the last exchange had told of',
      ).toBeLessThan(50)
      await bench.receiveOne(session, 'lapsed')
    },
  },
  {
    name: 'a lease that runs out between an exchange and ready wakes it, too',
    unless: timed,
    async run(bench) {
      let session: Session | undefined
      // On a slow machine the lease may run out before the exchange: then once more, with another queue.
      await bench.until('an exchange before a lease runs out', async () => {
        const queue = await bench.queue()
        await bench.publish(bench.event('placed'))
        session = await bench.session(queue)
        await crash(bench, queue, 1)
        const { lapsed = false } = await session.exchange({ settle: [], max: 1 })
        return lapsed ? { waitFor: undefined, state: 'it had run out' } : 'done'
      })
      await bench.pass(shortLease + 1)
      await bench.soon('ready, called after the lease ran out', session!.ready(new AbortController().signal))
      await bench.receiveOne(session!, 'lapsed')
    },
  },
  {
    name: 'who claims once more what it has lost holds it by the new claim, and not by the old one',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('placed'))
      const { session, held } = await crash(bench, queue, 1)
      await lapse(bench, session)
      const again = await bench.receiveOne(session, 'lapsed')
      const both = [...held, again]
      const extended = await session.extend(both, 30_000)
      expect(await session.extend([...both].toReversed(), 30_000)).toEqual([...extended].toReversed())
      expect(extended, 'a lost lease was extended since the event is held by another').toEqual(['lost', 'ok'])
      const results = await session.settle([
        { of: held[0]!, as: 'retry', delay: 0 },
        { of: again, as: 'retry', delay: 0 },
      ])
      expect(results).toEqual(['lost', 'done'])
      expect((await bench.receiveOne(session)).id).toBe(again.id)
    },
  },
  {
    name: 'before a lease has run out nobody else gets the event, by lapsed neither',
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('placed'))
      const holder = await bench.session(queue)
      const held = await bench.receiveOne(holder)
      const session = await bench.session(queue, { on: bench.other })
      await bench.pass(shortLease)
      const { received, lapsed } = await session.exchange({ settle: [], max: 10, lapsed: 10 })
      expect(received).toEqual([])
      expect(lapsed ?? false).toBe(false)
      await bench.settle(holder, { of: held, as: 'ack' })
    },
  },
  {
    name: 'fresh events and lapsed ones are asked for apart, each at most as many as asked',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(...bench.events(3))
      await crash(bench, queue, 3)
      const session = await bench.session(queue)
      await lapse(bench, session)
      await bench.publish(...[3, 4, 5].map((i) => bench.event('fresh', i)))
      expect(numbersOf(await bench.receive(session, 3)).toSorted()).toEqual([3, 4, 5])
      const one = await bench.receive(session, 1, 'lapsed')
      expect(
        (await session.exchange({ settle: [], max: 10 })).received,
        'lapsed events came unasked',
      ).toEqual([])
      const rest = await bench.receive(session, 2, 'lapsed')
      expect(numbersOf([...one, ...rest]).toSorted()).toEqual([0, 1, 2])
    },
  },
  {
    name: 'a crash counts once its event was claimed alone',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('killer'))
      await crash(bench, queue, 1)
      const alone = await bench.session(queue, { lease: shortLease })
      expectAttempt(bench, await bench.receiveOne(alone, 'lapsed'), { failures: 0, crashes: 0 })
      const again = await bench.session(queue, { lease: shortLease })
      expectAttempt(bench, await bench.receiveOne(again, 'lapsed'), { failures: 0, crashes: 1 })
      const last = await bench.session(queue)
      expectAttempt(bench, await bench.receiveOne(last, 'lapsed'), { failures: 0, crashes: 2 })
    },
  },
  {
    name: 'a lapsed event that is retried or released is a normal one again',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(...bench.events(2))
      await crash(bench, queue, 2)
      const session = await bench.session(queue)
      const [first, second] = await bench.receive(session, 2, 'lapsed')
      await bench.settle(session, { of: first!, as: 'retry' }, { of: second!, as: 'release' })
      const received = await bench.receive(session, 2)
      for (const one of received) {
        expect(one.lapsed).toBe(false)
        expectAttempt(bench, one, { failures: one.id === first?.id ? 1 : 0, crashes: 0 })
      }
    },
  },
  {
    name: 'a holder whose event somebody else has changes nothing any more',
    unless: ({ fencing }) => (fencing === 'strict' ? undefined : `features.fencing is '${fencing}'`),
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('placed'))
      const { session: late, held } = await crash(bench, queue, 1)
      const of = held[0]!
      const session = await bench.session(queue, { on: bench.other })
      const taken = await bench.receiveOne(session, 'lapsed')
      for (const as of ['ack', 'retry', 'release', 'dead'] as const) {
        expect(await late.settle([{ of, as, record }]), `a late ${as}`).toEqual(['lost'])
      }
      expect(await late.extend([of], 60_000)).toEqual(['lost'])
      await late.close()
      await bench.nothing(session, 'a late settlement gave the event to somebody')
      expect(await bench.transport.admin.deadLetters(queue, { limit: 10 })).toEqual([])
      await bench.settle(session, { of: taken, as: 'ack' })
    },
  },
  {
    name: 'a late acknowledgement may win; a late retry or dead letter never does',
    unless: ({ fencing }) => (fencing === 'late-ack-wins' ? undefined : `features.fencing is '${fencing}'`),
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('placed'))
      const { session: late, held } = await crash(bench, queue, 1)
      const of = held[0]!
      const session = await bench.session(queue, { on: bench.other })
      const taken = await bench.receiveOne(session, 'lapsed')
      await late.settle([{ of, as: 'retry' }])
      await late.settle([{ of, as: 'dead', record }])
      await bench.nothing(session, 'a late retry brought the event back')
      expect(await bench.transport.admin.deadLetters(queue, { limit: 10 })).toEqual([])
      await late.settle([{ of, as: 'ack' }])
      await session.settle([{ of: taken, as: 'ack' }])
      await bench.nothing(session, 'an acknowledged event came again')
    },
  },
  {
    name: 'extend keeps the lease',
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('placed'))
      const { session: holder, held } = await crash(bench, queue, 1)
      expect(await holder.extend(held, 60_000)).toEqual(['ok'])
      await bench.pass(2 * shortLease)
      const session = await bench.session(queue, { on: bench.other })
      const { received, lapsed } = await session.exchange({ settle: [], max: 10, lapsed: 10 })
      expect(received).toEqual([])
      expect(lapsed ?? false).toBe(false)
      await bench.settle(holder, { of: held[0]!, as: 'ack' })
    },
  },
  {
    name: 'extend can shorten a lease, and says which are lost',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(...bench.events(2))
      const holder = await bench.session(queue)
      const [settled, kept] = await bench.receive(holder, 2)
      await bench.settle(holder, { of: settled!, as: 'ack' })
      const results = await holder.extend([settled!, kept!], shortLease)
      if (bench.features.fencing === 'strict')
        expect(results[0], 'extend of an event that this session has acknowledged').toBe('lost')
      expect(results[1], 'extend of an event that this session holds').toBe('ok')
      const session = await bench.session(queue)
      expect((await bench.receiveOne(session, 'lapsed')).id).toBe(kept?.id)
    },
  },
  {
    name: 'closing a session keeps the leases that it was told to keep, until they run out',
    unless: timed,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(...bench.events(3))
      const { session: holder, held } = await crash(bench, queue, 3)
      const keep = held.slice(0, 1)
      await holder.extend(keep, 3 * shortLease)
      await holder.close({ keep })
      const session = await bench.session(queue)
      const free = await bench.receive(session, 2)
      expect(numbersOf(free).toSorted()).toEqual(numbersOf(held.slice(1)).toSorted())
      const kept = await bench.receiveOne(session, 'lapsed')
      expect(kept.id).toBe(keep[0]?.id)
    },
  },
]
