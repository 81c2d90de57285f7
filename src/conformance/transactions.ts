import { expect } from 'vitest'
import { pause, systemClock } from '../clock/clock.ts'
import type { Features } from '../contract/features.ts'
import { numbers, numbersOf, type Case } from './harness.ts'

const unlessThere = ({ transactions }: Features): string | undefined =>
  transactions === false ? 'features.transactions is false' : undefined
const unlessKept = (features: Features): string | undefined =>
  unlessThere(features) ?? (features.unrouted === 'kept' ? undefined : `unrouted is '${features.unrouted}'`)

/** Publishing in a transaction of the caller, who begins and ends it. What makes a transport an outbox. */
export const transactions: readonly Case[] = [
  {
    name: 'what is published in a transaction comes when it commits, and not before',
    unless: unlessThere,
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.nothing(session, 'a new queue is not empty')
      const caller = await bench.begin()
      await bench.transport.publish(bench.events(3), caller)
      await bench.nothing(session, 'an event came before the commit')
      await caller.commit()
      expect(numbersOf(await bench.handle(session, 3))).toEqual(numbers(3))
      await bench.nothing(session, 'an event came twice')
    },
  },
  {
    name: 'a transaction that is rolled back leaves nothing',
    unless: unlessThere,
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const caller = await bench.begin()
      await bench.transport.publish(bench.events(3), caller)
      await caller.rollback()
      await bench.publish(bench.event('numbered', 3))
      expect(numbersOf(await bench.handle(session, 1))).toEqual([3])
      await bench.nothing(session, 'an event of a transaction that was rolled back came')
    },
  },
  {
    name: 'several publishes in one transaction come in their order, between what was published before and after it',
    unless: (features) => unlessThere(features) ?? (features.order === 'key' ? undefined : 'no order by key'),
    async run(bench) {
      const session = await bench.session(await bench.queue('queue', { order: true }), { order: true })
      const all = bench.events(20, () => ({ key: 'same' }))
      await bench.publish(...all.slice(0, 5))
      const caller = await bench.begin()
      await bench.transport.publish(all.slice(5, 9), caller)
      await bench.transport.publish(all.slice(9, 10), caller)
      await bench.transport.publish(all.slice(10, 15), caller)
      await caller.commit()
      await bench.publish(...all.slice(15))
      expect(numbersOf(await bench.handle(session, 20))).toEqual(numbers(20))
    },
  },
  {
    name: 'each queue gets one copy of what is published in a transaction, one of another instance too',
    unless: unlessThere,
    async run(bench) {
      const early = await bench.session(await bench.queue('early'))
      // Routes are known by now, and must not be believed for ever.
      await bench.publish(bench.event('numbered', 0))
      const name = bench.name('late')
      await bench.other.declare([bench.spec(name)])
      const caller = await bench.begin()
      await bench.transport.publish([bench.event('numbered', 1)], caller)
      await caller.commit()
      const late = await bench.session(name)
      expect(numbersOf(await bench.handle(late, 1))).toEqual([1])
      expect(numbersOf(await bench.handle(early, 2)).toSorted()).toEqual([0, 1])
      for (const session of [early, late]) await bench.nothing(session, 'an event came twice')
    },
  },
  {
    name: 'unrouted events of a transaction are kept if it commits',
    unless: unlessKept,
    async run(bench) {
      const committed = await bench.begin()
      await bench.transport.publish([bench.event('numbered', 0)], committed)
      await committed.commit()
      const rolledBack = await bench.begin()
      await bench.transport.publish([bench.event('numbered', 1)], rolledBack)
      await rolledBack.rollback()
      const session = await bench.session(await bench.queue('late', { from: 'beginning' }))
      expect(numbersOf(await bench.handle(session, 1))).toEqual([0])
      await bench.nothing(session, 'an event came twice, or one of a transaction that was rolled back')
    },
  },
  {
    name: 'a queue that is declared from the beginning meanwhile gets what was published in a transaction',
    unless: unlessKept,
    async run(bench) {
      const name = bench.name('late')
      const caller = await bench.begin()
      await bench.transport.publish([bench.event('numbered', 0)], caller)
      const declared = bench.other.declare([bench.spec(name, { from: 'beginning' })])
      // It may wait for the transaction, or not.
      await Promise.race([declared, pause(systemClock, 20)])
      await caller.commit()
      await bench.soon('the declare', declared)
      const session = await bench.session(name)
      expect(numbersOf(await bench.handle(session, 1))).toEqual([0])
    },
  },
  {
    name: 'what is published in a transaction waits until it is due',
    unless: unlessThere,
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const caller = await bench.begin()
      const deliverAt = new Date(bench.clock.now() + 400)
      await bench.transport.publish([bench.event('numbered', 0, { deliverAt })], caller)
      await bench.transport.publish([bench.event('numbered', 1)], caller)
      await caller.commit()
      expect(numbersOf(await bench.handle(session, 1))).toEqual([1])
      expect(numbersOf(await bench.handle(session, 1))).toEqual([0])
      expect(bench.clock.now(), 'a delayed event came early').toBeGreaterThanOrEqual(deliverAt.getTime())
    },
  },
  {
    name: 'ready wakes when a transaction commits',
    unless: unlessThere,
    async run(bench) {
      const session = await bench.session(await bench.queue())
      await bench.nothing(session, 'a new queue is not empty')
      const waiting = session.ready(new AbortController().signal)
      const caller = await bench.begin()
      await bench.transport.publish([bench.event('first')], caller)
      await caller.commit()
      await bench.soon('ready', waiting)
      await bench.handle(session, 1)
    },
  },
  {
    name: 'what is no transaction is refused, and nothing is published',
    unless: unlessThere,
    async run(bench) {
      const session = await bench.session(await bench.queue())
      for (const transaction of [{}, 'BEGIN', null]) {
        await expect(bench.transport.publish([bench.event('placed')], { transaction })).rejects.toMatchObject(
          { code: 'TRANSACTION_INVALID', results: ['rejected'], retryable: false },
        )
      }
      await bench.nothing(session, 'a refused event was published')
    },
  },
  {
    name: 'a publish in a transaction that is aborted beforehand takes nothing, and leaves the transaction as it was',
    unless: unlessThere,
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const caller = await bench.begin()
      const { transaction } = caller
      const refused = bench.transport.publish(bench.events(1), { transaction, signal: AbortSignal.abort() })
      await expect(refused).rejects.toMatchObject({ code: 'PUBLISH_ABORTED', results: ['rejected'] })
      await bench.transport.publish([bench.event('numbered', 1)], caller)
      await caller.commit()
      expect(numbersOf(await bench.handle(session, 1))).toEqual([1])
      await bench.nothing(session, 'a refused event was published')
    },
  },
  {
    name: 'topics of millrace itself are no part of all topics',
    unless: unlessThere,
    async run(bench) {
      const own = bench.name('millrace.topic')
      const subscriptions = [{ topic: own, pattern: '*' }]
      const taking = await bench.session(await bench.queue('own', { subscriptions }))
      const everything = [{ topic: '*', pattern: bench.type('numbered') }]
      const others = await bench.session(await bench.queue('all', { subscriptions: everything }))
      await bench.publish({ ...bench.event('numbered', 0), topic: own }, bench.event('numbered', 1))
      expect(numbersOf(await bench.handle(taking, 1))).toEqual([0])
      expect(numbersOf(await bench.handle(others, 1))).toEqual([1])
      await bench.nothing(others, 'an event of a topic of millrace itself came')
    },
  },
]
