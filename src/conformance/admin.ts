import { expect } from 'vitest'
import type { QueueCounts, TransportAdmin } from '../contract/transport-admin.ts'
import { numbersOf, shortLease, type Bench, type Case } from './harness.ts'
import { record } from './record.ts'

export async function countsOf(bench: Bench, queue: string): Promise<QueueCounts | undefined> {
  return (await bench.other.admin.queues()).find(({ name }) => name === queue)
}

/** Waits until the counts are as expected: a system may take a moment to count. */
async function counts(bench: Bench, queue: string, expected: Partial<QueueCounts>): Promise<void> {
  await bench.until(`the counts ${JSON.stringify(expected)}`, async () => {
    const found = await countsOf(bench, queue)
    const fits = Object.entries(expected).every(
      ([name, value]) => found?.[name as keyof QueueCounts] === value,
    )
    return fits ? 'done' : { waitFor: undefined, state: JSON.stringify(found) }
  })
}

/** Calls that are expected to be refused, by what a failure shall call them. */
export type Calls = Readonly<Record<string, () => Promise<unknown>>>

export async function expectRefused(code: string, calls: Calls): Promise<void> {
  for (const [name, call] of Object.entries(calls)) await expect(call(), name).rejects.toMatchObject({ code })
}

/** All that an operator can ask of one queue. */
export function callsOn(operator: TransportAdmin, queue: string): Calls {
  return {
    deadLetters: () => operator.deadLetters(queue, { limit: 1 }),
    deadLetter: () => operator.deadLetter(queue, '1'),
    'redrive of all': () => operator.redrive(queue, undefined),
    'redrive of some': () => operator.redrive(queue, ['1']),
    'purge of all': () => operator.purge(queue, undefined),
    'purge of some': () => operator.purge(queue, ['1']),
    removeQueue: () => operator.removeQueue(queue),
    unbind: () => operator.unbind(queue, []),
  }
}

/** What operators see and do. */
export const admin: readonly Case[] = [
  {
    name: 'queues counts every event once: waiting, in flight, retrying, delayed, dead',
    unless: ({ counts: kind }) => (kind === 'exact' ? undefined : `features.counts is '${kind}'`),
    async run(bench) {
      const queue = await bench.queue()
      await counts(bench, queue, { depth: 0, inFlight: 0, retrying: 0, delayed: 0, dead: 0, oldestMs: 0 })
      const session = await bench.session(queue)
      const deliverAt = new Date(bench.clock.now() + 600_000)
      await bench.publish(...bench.events(10), ...bench.events(3, () => ({ deliverAt })))
      await counts(bench, queue, { depth: 10, inFlight: 0, retrying: 0, delayed: 3, dead: 0 })
      const [a, b, c, d] = await bench.receive(session, 4)
      await counts(bench, queue, { depth: 6, inFlight: 4, retrying: 0, delayed: 3, dead: 0 })
      await bench.settle(
        session,
        { of: a!, as: 'ack' },
        { of: b!, as: 'retry', delay: 600_000 },
        { of: c!, as: 'dead', record },
        { of: d!, as: 'release', delay: 600_000 },
      )
      await counts(bench, queue, { depth: 6, inFlight: 0, retrying: 1, delayed: 4, dead: 1 })
    },
  },
  {
    name: 'queues counts an event whose lease ran out as waiting, not as in flight',
    unless: ({ counts: kind, leases }) =>
      kind === 'exact' && leases === 'timed' ? undefined : `features.counts is '${kind}', leases '${leases}'`,
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(...bench.events(2))
      await bench.receive(await bench.session(queue, { lease: shortLease }), 2)
      await bench.pass(shortLease + 1)
      await counts(bench, queue, { depth: 2, inFlight: 0, retrying: 0, delayed: 0 })
    },
  },
  {
    name: 'queues counts what lies behind the place of a queue, from any instance',
    unless: ({ counts: kind }) => (kind === 'lag' ? undefined : `features.counts is '${kind}'`),
    async run(bench) {
      const queue = await bench.queue()
      await counts(bench, queue, { depth: 0, inFlight: 0, retrying: 0, delayed: 0, dead: 0, oldestMs: 0 })
      await bench.publish(...bench.events(10))
      await counts(bench, queue, { depth: 10, inFlight: 0, retrying: 0, delayed: 0, dead: 0 })
      const session = await bench.session(queue)
      const received = await bench.receive(session, 10)
      const own = async (): Promise<QueueCounts | undefined> =>
        (await bench.transport.admin.queues()).find(({ name }) => name === queue)
      expect(await own(), 'the instance at work knows what it holds').toMatchObject({
        depth: 0,
        inFlight: 10,
      })
      const [dead, ...rest] = received
      await bench.settle(
        session,
        { of: dead!, as: 'dead', record },
        ...rest.map((of) => ({ of, as: 'ack' as const })),
      )
      await counts(bench, queue, { depth: 0, inFlight: 0, retrying: 0, delayed: 0, dead: 1, oldestMs: 0 })
    },
  },
  {
    name: 'queues lists what is declared, by name',
    async run(bench) {
      const names = [await bench.queue('c'), await bench.queue('a'), await bench.queue('b')]
      const listed = (await bench.other.admin.queues()).map(({ name }) => name)
      expect(listed).toEqual(listed.toSorted())
      expect(listed).toEqual(expect.arrayContaining(names))
    },
  },
  {
    name: 'queues tells how long the oldest event waits, since it was taken',
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(bench.event('old', 0, { time: new Date('2020-01-01T00:00:00Z') }))
      const published = bench.clock.now()
      await bench.pass(shortLease)
      await bench.publish(bench.event('new'))
      const passed = bench.clock.now() - published
      const oldest = (await countsOf(bench, queue))?.oldestMs ?? 0
      expect(oldest).toBeGreaterThanOrEqual(passed - 50)
      expect(oldest).toBeLessThan(passed + 10_000)
    },
  },
  {
    name: 'queues tells how many were handled and how many failed, per second',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(...bench.events(60))
      const received = await bench.receive(session, 60)
      await bench.settle(
        session,
        ...received.map((of, i) => ({
          of,
          as: i < 40 ? ('ack' as const) : ('retry' as const),
          delay: 600_000,
        })),
      )
      await bench.until('rates above 0', async () => {
        const found = await countsOf(bench, queue)
        const counted =
          found !== undefined && found.handledPerSecond > found.failedPerSecond && found.failedPerSecond > 0
        return counted ? 'done' : { waitFor: undefined, state: JSON.stringify(found) }
      })
    },
  },
  {
    name: 'unbind takes subscriptions, and leaves what waits',
    async run(bench) {
      const subscription = (type: string): { topic: string; pattern: string } => ({
        topic: bench.topic,
        pattern: bench.type(type),
      })
      const queue = await bench.queue('queue', { subscriptions: [subscription('a'), subscription('b')] })
      await bench.queue('other') // somebody takes every event, where nobody would be an error
      await bench.publish(bench.event('a', 0))
      await bench.other.admin.unbind(queue, [subscription('a'), subscription('never there')])
      await bench.publish(bench.event('a', 1), bench.event('b', 2))
      const session = await bench.session(queue)
      expect(numbersOf(await bench.handle(session, 2)).toSorted()).toEqual([0, 2])
      await bench.nothing(session, 'an event came by a subscription that was taken away')
    },
  },
  {
    name: 'a queue that does not exist, or no more, is UNKNOWN_QUEUE everywhere',
    async run(bench) {
      const removed = await bench.queue('removed')
      await bench.transport.admin.deadLetters(removed, { limit: 1 })
      await bench.other.admin.removeQueue(removed)
      for (const queue of [bench.name('missing'), removed]) {
        await expectRefused('UNKNOWN_QUEUE', callsOn(bench.transport.admin, queue))
      }
    },
  },
]
