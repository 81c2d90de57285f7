import { expect } from 'vitest'
import type { Received, Session } from '../contract/transport.ts'
import { isMillraceError } from '../errors/millrace-error.ts'
import { callsOn, countsOf, expectRefused } from './admin.ts'
import { namesOf, numbersOf, type Bench, type Case } from './harness.ts'
import { record } from './record.ts'

/** What a closed session does, and what it does not do any more. */
async function expectStopped(bench: Bench, session: Session, held: Received): Promise<void> {
  await expectRefused('STOPPED', {
    exchange: () => session.exchange({ settle: [], max: 1 }),
    'exchange that settles': () => session.exchange({ settle: [{ of: held, as: 'ack' }], max: 0 }),
    settle: () => session.settle([{ of: held, as: 'ack' }]),
    extend: () => session.extend([held], 1_000),
  })
  await bench.soon('ready of a closed session', session.ready(new AbortController().signal))
  await session.quiesce()
  await session.close()
}

/** How sessions, queues and transports end. */
export const ending: readonly Case[] = [
  {
    name: 'quiesce: no new events, but those held can be settled and extended',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(bench.event('held'), bench.event('late'))
      const held = await bench.receiveOne(session)
      await session.quiesce()
      await bench.nothing(session, 'a quiesced session took an event')
      expect(await session.extend([held], 30_000)).toEqual(['ok'])
      await bench.settle(session, { of: held, as: 'ack' })
      await session.close()
      const other = await bench.session(queue)
      expect(namesOf(await bench.handle(other, 1))).not.toEqual(namesOf([held]))
    },
  },
  {
    name: 'ready waits for its signal after quiesce, and ends with its session',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await session.quiesce()
      await bench.publish(bench.event('late'))
      expect(await bench.wakes(session, 1), 'ready resolved for what a quiesced session may not take').toBe(0)
      const waiting = session.ready(new AbortController().signal)
      await session.close()
      await bench.soon('ready, called before the close', waiting)
      await bench.soon('ready, called after the close', session.ready(new AbortController().signal))
    },
  },
  {
    name: 'a session is STOPPED after its close',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.publish(bench.event('held'))
      const held = await bench.receiveOne(session)
      await session.close()
      await expectStopped(bench, session, held)
    },
  },
  {
    name: 'closing a transport closes its sessions: they give back what they hold, and are STOPPED',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(bench.event('held'))
      const held = await bench.receiveOne(session)
      const waiting = session.ready(new AbortController().signal)
      await bench.transport.close()
      await bench.soon('ready, called before the close', waiting)
      await expectStopped(bench, session, held)
      if (bench.other === bench.transport || bench.features.sharing === 'lane') return
      expect(await bench.receiveOne(await bench.session(queue, { on: bench.other }))).toMatchObject({
        id: held.id,
        attempt: 1,
        lapsed: false,
      })
    },
  },
  {
    name: 'closing a session gives back what it holds, without an attempt',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(...bench.events(5))
      await bench.receive(session, 5)
      await session.close()
      await session.close()
      const next = await bench.session(queue, { on: bench.other })
      const received = await bench.receive(next, 5)
      expect(numbersOf(received).toSorted()).toEqual([0, 1, 2, 3, 4])
      if (bench.features.attempts !== 'upper')
        expect(received.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1])
      expect(received.map(({ lapsed }) => lapsed)).toEqual([false, false, false, false, false])
    },
  },
  {
    name: 'removeQueue takes the queue with everything in it, and says how much that was',
    async run(bench) {
      const [queue, other] = [await bench.queue(), await bench.queue('other')]
      const session = await bench.session(queue)
      await bench.publish(...bench.events(4))
      await bench.settle(session, { of: await bench.receiveOne(session), as: 'dead', record })
      await session.close()
      expect(await bench.other.admin.removeQueue(queue)).toBe(4)
      expect(await countsOf(bench, queue)).toBe(undefined)
      await expect(bench.session(queue)).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' })
      await bench.publish(bench.event('numbered', 4))
      expect(numbersOf(await bench.handle(await bench.session(other), 5)).toSorted()).toEqual([0, 1, 2, 3, 4])
      const report = await bench.transport.declare([bench.spec(queue)])
      expect(report.created).toEqual([queue])
      await bench.nothing(await bench.session(queue), 'a removed queue still had events')
    },
  },
  {
    name: 'sessions of a queue that is removed learn of it, or the removal is refused',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(...bench.events(2))
      const [first, second] = await bench.receive(session, 2)
      await bench.nothing(session, 'an event came twice')
      const stop = new AbortController()
      const waiting = session.ready(stop.signal)
      const refused: unknown = await bench.other.admin.removeQueue(queue).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (refused !== undefined) {
        expect(isMillraceError(refused), `not a MillraceError: ${String(refused)}`).toBe(true)
        stop.abort()
        await bench.publish(bench.event('numbered', 2))
        expect(numbersOf(await bench.handle(session, 1, 'an event after a refused removal'))).toEqual([2])
        return await bench.settle(session, { of: first!, as: 'ack' }, { of: second!, as: 'ack' })
      }
      await bench.soon('ready, called before the removal', waiting)
      await expect(session.exchange({ settle: [], max: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' })
      for (const as of ['ack', 'retry', 'release'] as const) {
        const results = await session.settle([{ of: first!, as }])
        if (bench.features.settlement === 'confirmed')
          expect(results, `${as} after the removal`).toEqual(['gone'])
      }
    },
  },
  {
    name: 'close may be repeated, and then everything is STOPPED',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await session.close()
      await Promise.all([bench.transport.close(), bench.transport.close()])
      await bench.transport[Symbol.asyncDispose]()
      const { transport } = bench
      await expectRefused('STOPPED', {
        publish: () => transport.publish([bench.event('late')]),
        declare: () => transport.declare([bench.spec(queue)]),
        open: () => bench.session(queue),
        queues: () => transport.admin.queues(),
        redriveUnrouted: () => transport.admin.redriveUnrouted(),
        ...callsOn(transport.admin, queue),
      })
      await transport.close()
    },
  },
  {
    name: 'closing one instance leaves the other at work',
    unless: (_features, { reopen }) => (reopen === undefined ? 'there is no second instance' : undefined),
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue, { on: bench.other })
      await bench.publish(bench.event('numbered', 0))
      await bench.transport.close()
      await bench.other.publish([bench.event('numbered', 1)])
      expect(numbersOf(await bench.handle(session, 2)).toSorted()).toEqual([0, 1])
    },
  },
]
