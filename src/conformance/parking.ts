import { expect } from 'vitest'
import type { Features } from '../contract/features.ts'
import { dataOf, numbersOf, type Case } from './harness.ts'
import { acknowledge, noOrder, ordered, publishKeyed } from './order.ts'
import { record } from './record.ts'

const no =
  (kind: 'park' | 'pass') =>
  (features: Features): string | undefined =>
    noOrder(features) ?? (features.onRetry.includes(kind) ? undefined : `features.onRetry lacks '${kind}'`)

/** What becomes of a key while one of its events waits for a retry: it is parked, or the others pass. */
export const parking: readonly Case[] = [
  {
    name: 'park: a retry holds back its key, and nothing else',
    unless: no('park'),
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1)
      await bench.settle(session, {
        of: await bench.receiveOne(session),
        as: 'retry',
        delay: 600_000,
        park: true,
      })
      await publishKeyed(bench, 'a', 2)
      await publishKeyed(bench, 'b', 10, 11)
      await bench.publish(bench.event('numbered', 12))
      const others = await bench.handle(second, 3, 'events 10 and 11 of another key, and 12 of none')
      expect(numbersOf(others).toSorted(), 'what came while event 0 of a key was parked').toEqual([
        10, 11, 12,
      ])
      for (const one of [session, second])
        await bench.nothing(one, 'an event overtook a parked one of its key')
    },
  },
  {
    name: 'park: after its retry the key goes on in its order',
    unless: no('park'),
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1, 2)
      const [zero, one] = await bench.receive(session, 2)
      await bench.settle(
        session,
        { of: zero!, as: 'retry', delay: 100, park: true },
        { of: one!, as: 'release' },
      )
      await publishKeyed(bench, 'a', 3)
      const again = await bench.receiveOne(second, 'normal', 'event 0, parked for 100 ms')
      expect([dataOf(again), again.attempt], 'the parked event 0, at attempt 2').toEqual([0, 2])
      await bench.settle(second, { of: again, as: 'retry', delay: 100, park: true })
      const third = await bench.receiveOne(session, 'normal', 'event 0, parked for another 100 ms')
      expect([dataOf(third), third.attempt], 'the parked event 0, at attempt 3').toEqual([0, 3])
      await acknowledge(bench, session, [third])
      const rest = await bench.handle(
        second,
        3,
        'events 1, 2 and 3, once the parked event 0 was acknowledged',
      )
      expect(numbersOf(rest), 'what came after the parked event 0').toEqual([1, 2, 3])
    },
  },
  {
    name: 'park: a retry without delay comes before the rest of its key',
    unless: no('park'),
    async run(bench) {
      const { session } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1, 2)
      await bench.settle(session, { of: await bench.receiveOne(session), as: 'retry', park: true })
      for (const expected of [0, 1, 2]) {
        const next = await bench.handle(session, 1, `event ${expected}`)
        expect(numbersOf(next), 'the place of event 0, parked without a delay, is before 1 and 2').toEqual([
          expected,
        ])
      }
    },
  },
  {
    name: 'park: a parked event that dies lets its key go on',
    unless: no('park'),
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1)
      await bench.settle(session, { of: await bench.receiveOne(session), as: 'retry', delay: 50, park: true })
      const again = await bench.receiveOne(session, 'normal', 'event 0, parked for 50 ms')
      await bench.settle(session, { of: again, as: 'dead', record })
      const next = await bench.handle(second, 1, 'event 1, once the parked event 0 was dead')
      expect(numbersOf(next), 'what came after the parked event 0').toEqual([1])
    },
  },
  {
    name: 'pass: a retry lets the others of its key pass, and comes back',
    unless: no('pass'),
    async run(bench) {
      const { session, second } = await ordered(bench)
      await publishKeyed(bench, 'a', 0, 1, 2)
      await bench.settle(session, {
        of: await bench.receiveOne(session),
        as: 'retry',
        delay: 600_000,
        park: false,
      })
      const others = await bench.handle(
        second,
        2,
        'events 1 and 2, while event 0 of their key waits for its retry',
      )
      expect(numbersOf(others), 'what passed event 0').toEqual([1, 2])
      await publishKeyed(bench, 'b', 10, 11)
      await bench.settle(session, {
        of: await bench.receiveOne(session),
        as: 'retry',
        delay: 1_500,
        park: false,
      })
      const passing = await bench.handle(second, 1, 'event 11, while event 10 of its key waits for its retry')
      expect(numbersOf(passing), 'what passed event 10').toEqual([11])
      const again = await bench.receiveOne(second, 'normal', 'the retry of event 10')
      expect([dataOf(again), again.attempt], 'the retry of event 10, at attempt 2').toEqual([10, 2])
    },
  },
]
