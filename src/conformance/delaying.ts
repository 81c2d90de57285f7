import { expect } from 'vitest'
import { encodeNew, type Outgoing } from '../event/outgoing.ts'
import { dataOf, namesOf, numbersOf, type Bench, type Case } from './harness.ts'
import { clockSlack } from './settling.ts'

/** Events that are not to be handled before their time. */
export const delaying: readonly Case[] = [
  {
    name: 'a delayed event is never early, and ready wakes for it',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const deliverAt = new Date(bench.clock.now() + 250)
      const event = bench.event('later', 0, { deliverAt })
      await bench.publish(event)
      const received = await bench.receiveOne(session)
      expect(bench.clock.now(), 'a delayed event came early').toBeGreaterThanOrEqual(
        deliverAt.getTime() - clockSlack(bench),
      )
      expect(received).toMatchObject({ id: event.id, attempt: 1 })
      expect(received.head.deliverAt).toBe(deliverAt.getTime())
    },
  },
  {
    name: 'each queue gets its copy of a delayed event',
    async run(bench) {
      const sessions = [await bench.session(await bench.queue()), await bench.session(await bench.queue())]
      await bench.publish(bench.event('later', 0, { deliverAt: new Date(bench.clock.now() + 50) }))
      for (const session of sessions) {
        await bench.handle(session, 1)
        await bench.nothing(session, 'a delayed event came twice')
      }
    },
  },
  {
    name: 'delayed events come in the order of their times',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const start = bench.clock.now()
      const delays = [900, 300, 600]
      await bench.publish(
        ...delays.map((ms) => bench.event('later', ms, { deliverAt: new Date(start + ms) })),
      )
      const taken: unknown[] = []
      for (let i = 0; i < 3; i++) taken.push(...(await bench.handle(session, 1)).map(dataOf))
      expect(taken).toEqual([300, 600, 900])
    },
  },
  {
    name: 'a delay is counted by the server, whatever time the publisher believes it is',
    unless: ({ delayClock }) =>
      delayClock === 'server' ? undefined : `a delay is a date by the clock of a ${delayClock}`,
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const start = bench.clock.monotonic()
      await bench.publish(delayedBy(bench, 'slow', 300, -3_600_000), delayedBy(bench, 'fast', 600, 3_600_000))
      for (const [name, delay] of [
        ['slow', 300],
        ['fast', 600],
      ] as const) {
        const [received] = await bench.handle(session, 1)
        expect(namesOf([received!])).toEqual([name])
        expect(bench.clock.monotonic() - start, 'it came early').toBeGreaterThanOrEqual(delay)
        // Who passes it on would delay it again by a date that is still to come.
        expect(received!.head.deliverAt).toBeLessThanOrEqual(bench.clock.now() + clockSlack(bench))
      }
    },
  },
  {
    name: 'new events do not hold up one that has become due, delayed or retried',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const deliverAt = new Date(bench.clock.now() + 50)
      await bench.publish(bench.event('retried'))
      await bench.settle(session, { of: await bench.receiveOne(session), as: 'retry', delay: 50 })
      await bench.publish(bench.event('delayed', 0, { deliverAt }))
      await bench.pass(50)
      const missing = new Set(['retried', 'delayed'])
      await bench.until('an event that is due while others keep coming', async () => {
        // Never less to take than is taken.
        await bench.publish(bench.event('new'), bench.event('new'))
        for (const name of namesOf(await bench.handle(session, 1))) missing.delete(name)
        return missing.size === 0
          ? 'done'
          : { waitFor: undefined, state: `${[...missing].join(', ')} is missing` }
      })
    },
  },
  {
    name: 'a time that is past means at once; one in thousands of years does no harm',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(
        bench.event('past', 0, { deliverAt: new Date(1_000) }),
        bench.event('far', 0, { deliverAt: new Date('9999-12-31T23:59:59.999Z') }),
      )
      expect(namesOf(await bench.handle(session, 1))).toEqual(['past'])
      await bench.nothing(session, 'an event came thousands of years early')
    },
  },
  {
    name: '5,000 delayed events hold up nobody',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const deliverAt = new Date(bench.clock.now() + 3_600_000)
      await bench.publish(...bench.events(5_000, () => ({ deliverAt })))
      await bench.publish(...[0, 1, 2].map((i) => bench.event('now', i)))
      expect(numbersOf(await bench.handle(session, 3)).toSorted()).toEqual([0, 1, 2])
      await bench.nothing(session, 'a delayed event came early')
    },
  },
]

/** An event with a `delay` of a publisher whose clock is so far off. */
function delayedBy(bench: Bench, name: string, delay: number, off: number): Outgoing {
  const { topic, clock } = bench
  const origin = { source: '/off', topicOf: () => topic, now: () => clock.now() + off }
  return encodeNew(bench.type(name), name, { delay }, origin)
}
