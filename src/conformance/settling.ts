import { expect } from 'vitest'
import { addFailure } from '../contract/dead-letter.ts'
import { dataOf, numbersOf, type Bench, type Case } from './harness.ts'

/** A server's clock may differ from ours; a clock of this machine by the rounding of a millisecond. */
export function clockSlack({ features }: Bench): number {
  return features.delayClock === 'server' ? 50 : 1
}

/** Acknowledging, retrying and giving back. */
export const settling: readonly Case[] = [
  {
    name: 'settling and claiming in one exchange',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(...bench.events(2))
      const first = await bench.receiveOne(session)
      const { settled, received } = await session.exchange({ settle: [{ of: first, as: 'ack' }], max: 10 })
      expect(settled ?? ['done']).toEqual(['done'])
      const rest = received.length > 0 ? received : await bench.receive(session, 1)
      expect(rest.map(dataOf)).toEqual([1])
      await bench.settle(session, { of: rest[0]!, as: 'ack' })
      await session.close()
      await bench.nothing(await bench.session(queue), 'an event that was settled in an exchange came again')
    },
  },
  {
    name: 'an exchange with max 0 claims nothing',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('placed'))
      expect((await session.exchange({ settle: [], max: 0 })).received).toEqual([])
      await bench.handle(session, 1)
    },
  },
  {
    name: 'an event that is held is handed out to nobody else',
    async run(bench) {
      const queue = await bench.queue()
      const holder = await bench.session(queue)
      const others = [await bench.session(queue), await bench.session(queue, { on: bench.other })]
      await bench.publish(bench.event('placed'))
      const held = await bench.receiveOne(holder)
      for (const session of [holder, ...others])
        await bench.nothing(session, 'a held event was handed out again')
      await bench.settle(holder, { of: held, as: 'ack' })
    },
  },
  {
    name: 'retry: the attempt counts up, the trail comes back, until it is acknowledged',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('placed', { n: 1 }))
      let trail
      for (let attempt = 1; attempt <= 4; attempt++) {
        const received = await bench.receiveOne(session)
        expect(received.attempt).toBe(attempt)
        expect(received.trail).toEqual(trail)
        expect(dataOf(received)).toEqual({ n: 1 })
        trail = addFailure(trail, bench.clock.now(), `failure ${attempt} ☃`)
        await bench.settle(
          session,
          attempt === 4 ? { of: received, as: 'ack' } : { of: received, as: 'retry', trail },
        )
      }
      await bench.nothing(session, 'an acknowledged event came again')
    },
  },
  {
    name: 'retry with a delay: never early, and ready wakes for it',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('placed'))
      for (const delay of [120, 1, 250]) {
        const failed = await bench.receiveOne(session)
        const start = bench.clock.now()
        await bench.settle(session, {
          of: failed,
          as: 'retry',
          delay,
          trail: addFailure(undefined, start, 'no'),
        })
        const again = await bench.receiveOne(session)
        expect(bench.clock.now() - start, 'a retry came early').toBeGreaterThanOrEqual(
          delay - clockSlack(bench),
        )
        await bench.settle(session, { of: again, as: 'retry' })
      }
      expect((await bench.receiveOne(session)).attempt).toBe(7)
    },
  },
  {
    name: 'a retry waits without holding up other events',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('failing'))
      const failing = await bench.receiveOne(session)
      await bench.settle(session, { of: failing, as: 'retry', delay: 60_000 })
      await bench.publish(...bench.events(50))
      await bench.handle(session, 50)
      await bench.nothing(session, 'a retry came early')
    },
  },
  {
    name: 'a retry reaches its own queue only: another queue sees the event once',
    async run(bench) {
      const failing = await bench.session(await bench.queue('failing'))
      const calm = await bench.session(await bench.queue('calm'))
      await bench.publish(bench.event('placed'))
      await bench.handle(calm, 1)
      for (let i = 0; i < 2; i++) {
        await bench.settle(failing, { of: await bench.receiveOne(failing), as: 'retry', delay: 20 })
      }
      expect((await bench.receiveOne(failing)).attempt).toBe(3)
      await bench.nothing(calm, 'the retry of another queue arrived here')
    },
  },
  {
    name: 'release: no attempt counted, the trail kept',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('placed'))
      const trail = addFailure(undefined, 1_700_000_000_000, 'once')
      await bench.settle(session, { of: await bench.receiveOne(session), as: 'retry', trail })
      for (let i = 0; i < 3; i++) {
        const received = await bench.receiveOne(session)
        if (bench.features.attempts === 'upper') expect(received.attempt).toBeGreaterThanOrEqual(2)
        else expect(received.attempt).toBe(2)
        expect(received.trail).toEqual(trail)
        await bench.settle(session, { of: received, as: 'release' })
      }
      await bench.handle(session, 1)
    },
  },
  {
    name: 'release with a delay: never early, no attempt counted',
    unless: ({ attempts }) => (attempts === 'upper' ? 'features.attempts: give-backs may count' : undefined),
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('placed'))
      const first = await bench.receiveOne(session)
      const start = bench.clock.now()
      await bench.settle(session, { of: first, as: 'release', delay: 150 })
      const again = await bench.receiveOne(session)
      expect(bench.clock.now() - start, 'a deferred event came early').toBeGreaterThanOrEqual(
        150 - clockSlack(bench),
      )
      expect(again.attempt).toBe(1)
    },
  },
  {
    name: 'what was released goes on, in any session',
    async run(bench) {
      const queue = await bench.queue()
      const first = await bench.session(queue)
      const second = await bench.session(queue, { on: bench.other })
      await bench.publish(...bench.events(10))
      const held = await bench.receive(first, 10)
      await bench.settle(first, ...held.map((of) => ({ of, as: 'release' as const })))
      expect(numbersOf(await bench.handle(second, 10)).toSorted()).toEqual(numbersOf(held).toSorted())
    },
  },
  {
    name: 'a second settlement has no effect',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('acked'))
      const acked = await bench.receiveOne(session)
      await bench.settle(session, { of: acked, as: 'ack' })
      const repeated = await session.settle([{ of: acked, as: 'ack' }])
      if (bench.features.settlement === 'confirmed') expect(repeated).toEqual(['gone'])
      for (const as of ['retry', 'release', 'ack'] as const) {
        const again = await session.settle([{ of: acked, as }])
        if (bench.features.settlement === 'confirmed') expect(['gone', 'lost']).toContain(again?.[0])
      }
      await bench.nothing(session, 'a second settlement brought back an event that was acknowledged')

      await bench.publish(bench.event('retried'))
      const retried = await bench.receiveOne(session)
      await bench.settle(session, { of: retried, as: 'retry' })
      for (const as of ['ack', 'retry', 'release'] as const) await session.settle([{ of: retried, as }])
      const again = await bench.receiveOne(session)
      expect(again.attempt, 'a second settlement counted').toBe(2)
      await bench.nothing(session, 'a second settlement made a second event')
    },
  },
  {
    name: 'settlements are answered one by one, in their order',
    unless: ({ settlement }) =>
      settlement === 'confirmed' ? undefined : 'features.settlement: nothing is confirmed',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(...bench.events(3))
      const [a, b, c] = await bench.receive(session, 3)
      await bench.settle(session, { of: b!, as: 'ack' })
      const all = [a, b, c].map((of) => ({ of: of!, as: 'ack' as const }))
      expect(await session.settle(all)).toEqual(['done', 'gone', 'done'])
      expect((await session.settle([])) ?? []).toEqual([])
    },
  },
]
