import { expect } from 'vitest'
import type { Features } from '../contract/features.ts'
import { ascending, namesOf, numbers, numbersOf, type Case } from './harness.ts'

const unlessKept = ({ unrouted }: Features): string | undefined =>
  unrouted === 'kept' ? undefined : `features.unrouted is '${unrouted}'`
const unlessThere = (features: Features): string | undefined =>
  features.unrouted === 'log' ? undefined : unlessKept(features)

/** Queues and what they subscribe to; queues that come late. */
export const declaring: readonly Case[] = [
  {
    name: 'declare says what is new, and may be repeated',
    async run(bench) {
      const specs = [bench.spec(bench.name('a')), bench.spec(bench.name('b'))]
      const report = await bench.transport.declare(specs)
      expect(report.created.toSorted()).toEqual(specs.map(({ name }) => name).toSorted())
      expect(report.kept).toEqual([])
      const again = await bench.other.declare(specs)
      expect(again).toEqual({ created: [], kept: [] })
      await bench.publish(bench.event('placed'))
      for (const { name } of specs) {
        const session = await bench.session(name)
        await bench.handle(session, 1)
        await bench.nothing(session, 'a second declare doubled a subscription')
      }
    },
  },
  {
    name: 'six declares at once make one queue',
    async run(bench) {
      const spec = bench.spec(bench.name('queue'))
      const reports = await Promise.all(
        numbers(6).map((i) => (i % 2 === 0 ? bench.transport : bench.other).declare([spec])),
      )
      expect(reports.some(({ created }) => created.includes(spec.name))).toBe(true)
      await bench.publish(...bench.events(10))
      const session = await bench.session(spec.name)
      expect(ascending(numbersOf(await bench.handle(session, 10)))).toEqual(numbers(10))
      await bench.nothing(session, 'declaring at once doubled a subscription')
    },
  },
  {
    name: 'declare adds subscriptions and takes none away, and says what it left',
    async run(bench) {
      const name = bench.name('queue')
      const to = (...types: readonly string[]): ReturnType<typeof bench.spec> =>
        bench.spec(name, {
          subscriptions: types.map((type) => ({ topic: bench.topic, pattern: bench.type(type) })),
        })
      await bench.transport.declare([to('a', 'b')])
      const report = await bench.transport.declare([to('b', 'c')])
      expect(report.created).toEqual([])
      expect(report.kept).toHaveLength(1)
      expect(report.kept[0]).toContain(bench.type('a'))
      await bench.publish(bench.event('a'), bench.event('b'), bench.event('c'))
      const session = await bench.session(name)
      expect(namesOf(await bench.handle(session, 3)).toSorted()).toEqual(['a', 'b', 'c'])
    },
  },
  {
    name: 'declare takes nothing from a queue that has events',
    async run(bench) {
      const queue = await bench.queue()
      await bench.publish(...bench.events(5))
      await bench.transport.declare([bench.spec(queue, { from: 'beginning' })])
      const session = await bench.session(queue)
      expect(ascending(numbersOf(await bench.handle(session, 5)))).toEqual(numbers(5))
      await bench.nothing(session, 'a second declare brought events twice')
    },
  },
  {
    name: 'a late queue gets what is published after its declare',
    async run(bench) {
      const early = await bench.session(await bench.queue('early'))
      await bench.publish(bench.event('numbered', 0))
      const late = await bench.session(await bench.queue('late'))
      await bench.publish(bench.event('numbered', 1))
      expect(ascending(numbersOf(await bench.handle(early, 2)))).toEqual([0, 1])
      expect(numbersOf(await bench.handle(late, 1))).toEqual([1])
      await bench.nothing(late, 'a late queue got an event from before its declare')
    },
  },
  {
    name: 'from the beginning: new queues get the unrouted events that are still there, each queue one copy',
    unless: unlessThere,
    async run(bench) {
      await bench.publish(bench.event('numbered', 0), bench.event('other', 1), bench.event('numbered', 2))
      const subscriptions = [{ topic: bench.topic, pattern: bench.type('numbered') }]
      const names = [bench.name('a'), bench.name('b')]
      await bench.transport.declare(
        names.map((name) => bench.spec(name, { subscriptions, from: 'beginning' })),
      )
      await bench.publish(bench.event('numbered', 3))
      for (const name of names) {
        const session = await bench.session(name)
        expect(ascending(numbersOf(await bench.handle(session, 3)))).toEqual([0, 2, 3])
        await bench.nothing(session, 'an event came twice, or one that the queue does not subscribe to')
      }
    },
  },
  {
    name: 'from the beginning: events that another queue had come out of a log only',
    async run(bench) {
      await bench.queue('early')
      await bench.publish(bench.event('numbered', 0))
      const late = await bench.session(await bench.queue('late', { from: 'beginning' }))
      await bench.publish(bench.event('numbered', 1))
      const expected = bench.features.unrouted === 'log' ? [0, 1] : [1]
      expect(ascending(numbersOf(await bench.handle(late, expected.length)))).toEqual(expected)
      await bench.nothing(late, 'an event that another queue had came to a new one')
    },
  },
  {
    name: 'a queue keeps the order that it was made with: another wish is told, and not opened',
    async run(bench) {
      // A system without order by key makes every queue without it.
      for (const made of bench.features.order === 'key' ? [false, true] : [false]) {
        const queue = await bench.queue('queue', { order: made })
        const { created, kept } = await bench.other.declare([bench.spec(queue, { order: !made })])
        expect(created).toEqual([])
        expect(kept, 'what is told of a wish for another order').toEqual([expect.stringContaining(queue)])
        await expect(
          bench.session(queue, { order: !made }),
          `opening with order: ${!made}`,
        ).rejects.toMatchObject({
          code: 'INVALID_OPTION',
        })
        const session = await bench.session(queue, { order: made })
        await bench.publish(bench.event('numbered', 0))
        await bench.handle(session, 1)
      }
    },
  },
  {
    name: 'from now on: unrouted events stay where they are until they are redriven',
    unless: unlessKept,
    async run(bench) {
      await bench.publish(...bench.events(3))
      await bench.publish(bench.event('lonely', 9))
      const queue = await bench.queue('queue', {
        subscriptions: [{ topic: bench.topic, pattern: bench.type('numbered') }],
      })
      const session = await bench.session(queue)
      await bench.nothing(session, 'an event from before the declare came by itself')
      expect(await bench.other.admin.redriveUnrouted()).toBe(3)
      expect(ascending(numbersOf(await bench.handle(session, 3)))).toEqual(numbers(3))
      expect(await bench.transport.admin.redriveUnrouted()).toBe(0)
      await bench.nothing(session, 'an unrouted event came twice')
    },
  },
  {
    name: 'an event that no queue subscribes to is refused',
    unless: ({ unrouted }) => (unrouted === 'error' ? undefined : `features.unrouted is '${unrouted}'`),
    async run(bench) {
      await expect(bench.transport.publish([bench.event('placed')])).rejects.toMatchObject({
        results: ['rejected'],
      })
    },
  },
  {
    name: 'a queue that was never declared cannot be opened',
    async run(bench) {
      await expect(bench.session(bench.name('missing'))).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' })
    },
  },
]
