import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { receiving } from '../../test/receiving.ts'
import type { Delivery } from '../contract/delivery.ts'
import { defineEvents, runtimeOf } from '../event/catalog.ts'
import { createEvent, type MillraceEvent } from '../event/event.ts'
import { constant, defer, fatal } from './outcome.ts'

const nothing = (): void => undefined

describe('deliver', () => {
  /** A delivery from outside that writes down how it was settled. */
  function delivery(event: MillraceEvent, attempt = 1): { delivery: Delivery; settled: unknown[] } {
    const settled: unknown[] = []
    return {
      settled,
      delivery: {
        event,
        queue: 'a',
        attempt,
        ack: async () => void settled.push('ack'),
        retry: async ({ delay, error } = {}) => void settled.push(['retry', delay, (error as Error).message]),
        deadLetter: async (error) => void settled.push(['dead', (error as Error).message]),
        extend: async (by) => void settled.push(['extend', by]),
        settle: () => expect.unreachable(),
      },
    }
  }

  const failing = (error: unknown) => () => {
    throw error
  }

  test.each<[string, () => unknown, number, unknown, string[]]>([
    ['returns', nothing, 1, 'ack', []],
    [
      'throws',
      failing(new Error('no')),
      1,
      ['retry', 5, 'no'],
      ['warn millrace a x.y 1: attempt 1 failed: no; next try in 5 ms'],
    ],
    [
      'throws too often',
      failing(new Error('no')),
      3,
      ['dead', 'no'],
      ['error millrace a x.y 1: dead letter after 3 attempts: no'],
    ],
    [
      'throws fatal',
      failing(fatal(new Error('no'))),
      1,
      ['dead', 'no'],
      ['error millrace a x.y 1: dead letter after 1 attempt: no'],
    ],
    ['defers', failing(defer(50)), 1, ['retry', 50, 'Defer'], []],
  ])('whose handler %s', async (_name, handler, attempt, outcome, logged) => {
    const { receiver, log } = receiving()
    receiver.queue('a', { retry: { attempts: 3, backoff: constant(5) } }).on('x.*', handler)
    const { delivery: brought, settled } = delivery(createEvent('x.y', 1, { id: '1' }), attempt)
    await receiver.deliver(brought)
    expect([settled, log]).toEqual([[outcome], logged])
  })

  test('to a batch route waits for its batch, and gives the slot back', async () => {
    const { receiver } = receiving()
    const sizes: number[] = []
    receiver
      .queue('a', { concurrency: 1 })
      .onBatch('x.*', { size: 2, wait: 1 }, (events) => void sizes.push(events.length))
    for (let i = 0; i < 2; i++) {
      const [one, two, three] = [1, 2, 3].map((n) => delivery(createEvent('x.y', n)))
      await Promise.all(
        [one, two, three].map((each) => receiver.deliver((each as ReturnType<typeof delivery>).delivery)),
      )
      expect([one?.settled, two?.settled, three?.settled]).toEqual([['ack'], ['ack'], ['ack']])
    }
    expect(sizes).toEqual([2, 1, 2, 1])
  })

  test('twice with one object: each run starts from what was brought', async () => {
    const events = defineEvents({ 'x.y': z.object({ n: z.string().transform(Number) }) })
    const { receiver } = receiving({}, {}, runtimeOf(events))
    const seen: unknown[] = []
    receiver.on('a', 'x.y', (event) => {
      seen.push(structuredClone(event.data))
      ;(event.data as { n: number }).n = 99
    })
    const { delivery: brought, settled } = delivery(createEvent('x.y', { n: '7' }))
    await receiver.deliver(brought)
    await receiver.deliver(brought)
    expect([settled, seen, brought.event.data]).toEqual([['ack', 'ack'], [{ n: 7 }, { n: 7 }], { n: '7' }])
  })

  test('of data that cannot travel is a dead letter', async () => {
    const { receiver } = receiving()
    receiver.on('a', 'x.y', nothing)
    const { delivery: brought, settled } = delivery(createEvent('x.y', 1n))
    await receiver.deliver(brought)
    expect(settled).toEqual([['dead', expect.stringContaining('BigInt')]])
  })

  test('longer than maxHandling is a failure, and its signal says so', async () => {
    const { receiver } = receiving()
    let reason: unknown
    receiver
      .queue('a', { maxHandling: 10, retry: { backoff: constant(5) } })
      .on('x.y', async (_event, ctx) => {
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
        reason = ctx.signal.reason
      })
    const { delivery: brought, settled } = delivery(createEvent('x.y', 1))
    await receiver.deliver(brought)
    expect(reason).toMatchObject({ code: 'HANDLING_TIMEOUT' })
    expect(settled).toEqual([['retry', 5, 'The handler ran longer than maxHandling (10 ms)']])
  })

  test('can extend, and reports what a middleware does wrong', async () => {
    const { receiver, log } = receiving()
    receiver
      .queue('a')
      .use(async (_event, _ctx, next) => void next())
      .on('x.y', (_event, ctx) => ctx.extend('5s'))
    const { delivery: brought, settled } = delivery(createEvent('x.y', 1, { id: '1' }))
    await receiver.deliver(brought)
    expect(settled).toEqual([['extend', '5s'], 'ack'])
    expect(log).toEqual([expect.stringMatching(/^warn millrace a x\.y 1: .*\[NEXT_NOT_AWAITED\]$/)])
  })

  test('to no queue of ours is refused', async () => {
    const { receiver } = receiving()
    await expect(receiver.deliver(delivery(createEvent('x.y', 1)).delivery)).rejects.toMatchObject({
      code: 'UNKNOWN_QUEUE',
    })
  })

  test('whose settling fails rejects', async () => {
    const { receiver } = receiving()
    receiver.on('a', 'x.y', nothing)
    const brought = {
      ...delivery(createEvent('x.y', 1)).delivery,
      ack: () => Promise.reject(new Error('cut')),
    }
    await expect(receiver.deliver(brought)).rejects.toThrow('cut')
  })
})
