import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  faultyTransport,
  never,
  type SessionFaults,
  type TransportFaults,
} from '../../test/faulty-transport.ts'
import { lines, signal, turns } from '../../test/signals.ts'
import { systemClock } from '../clock/clock.ts'
import { within } from '../clock/within.ts'
import type { Delivery } from '../contract/delivery.ts'
import type { Transport } from '../contract/transport.ts'
import { defineEvents, runtimeOf, type CatalogRuntime } from '../event/catalog.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { createEvent, type MillraceEvent } from '../event/event.ts'
import { EventPublisher } from '../publish/publisher.ts'
import { Reporter } from '../report/reporter.ts'
import { constant, defer, fatal } from './outcome.ts'
import { EventReceiver } from './receiver.ts'

const open: EventReceiver[] = []
afterEach(() => Promise.all(open.splice(0).map((receiver) => receiver.stop({ timeout: 0 }))))

function receiving(faults: TransportFaults = {}, session: SessionFaults = {}, catalog?: CatalogRuntime) {
  const real = faultyTransport(faults, session)
  const transport = async (): Promise<Transport> => real
  const publisher = new EventPublisher({ transport, clock: systemClock })
  const { log, logger } = lines()
  const receiver = new EventReceiver({
    transport,
    publisher,
    catalog,
    clock: systemClock,
    reporter: new Reporter(logger),
  })
  open.push(receiver)
  return { receiver, publisher, log, transport: real }
}

const nothing = (): void => undefined
const coded = (code: string) => expect.objectContaining({ code })

describe('setting up', () => {
  test('names its queues and their patterns', () => {
    const { receiver } = receiving()
    receiver.on('a', 'order.placed', nothing).on('a', 'order.*', nothing).on('b', '*', nothing)
    expect([receiver.queueNames(), receiver.types('a')]).toEqual([
      ['a', 'b'],
      ['order.placed', 'order.*'],
    ])
    expect([receiver.queuesFor('order.paid'), receiver.queuesFor('x')]).toEqual([['a', 'b'], ['b']])
  })

  test('the same queue again, and what cannot be', () => {
    const { receiver } = receiving()
    const queue = receiver.queue('a')
    expect(receiver.queue('a')).toBe(queue)
    expect(receiver.queue('a', { concurrency: 2 })).toBe(queue)
    expect(() => receiver.queue('a', { concurrency: 2 })).toThrowError(coded('QUEUE_EXISTS'))
    expect(() => receiver.queue('b', { concurrency: 0 })).toThrowError(coded('INVALID_OPTION'))
    expect(() => receiver.queue('a b')).toThrowError(coded('INVALID_NAME'))
    queue.on('x', nothing)
    expect(() => queue.on('x', nothing)).toThrowError(coded('HANDLER_EXISTS'))
    expect(() => queue.onBatch('x', {}, nothing)).toThrowError(coded('HANDLER_EXISTS'))
    expect(() => queue.on('x*', nothing)).toThrowError(coded('INVALID_PATTERN'))
    expect(() => queue.on('y', undefined as never)).toThrowError(coded('INVALID_OPTION'))
    expect(() => queue.onBatch('y', { size: 0 }, nothing)).toThrowError(coded('INVALID_OPTION'))
    expect(() => queue.use((_e, _c, next) => next())).toThrowError(coded('TOO_LATE'))
    expect(() => receiver.use((_e, _c, next) => next())).toThrowError(coded('TOO_LATE'))
    expect(() => receiver.types('b')).toThrowError(coded('UNKNOWN_QUEUE'))
  })

  test('is over with the start', async () => {
    const { receiver } = receiving()
    const queue = receiver.queue('a').on('x', nothing)
    await receiver.start()
    for (const late of [
      () => queue.on('y', nothing),
      () => receiver.use((_e, _c, next) => next()),
      () => receiver.queue('b'),
      () => receiver.queue('a', {}),
    ])
      expect(late).toThrowError(coded('TOO_LATE'))
  })

  test('a queue that would subscribe to nothing does not start', async () => {
    const { receiver } = receiving()
    receiver.queue('a')
    await expect(receiver.start()).rejects.toMatchObject({ code: 'QUEUE_EMPTY' })
  })
})

describe('start', () => {
  test('once', async () => {
    const { receiver } = receiving()
    receiver.on('a', 'x', nothing)
    const starting = receiver.start()
    await expect(receiver.start()).rejects.toMatchObject({ code: 'ALREADY_STARTED' })
    await starting
    await expect(receiver.start()).rejects.toMatchObject({ code: 'ALREADY_STARTED' })
  })

  test.each<[string, TransportFaults, number]>([
    ['declare', { declare: () => Promise.reject(new Error('down')) }, 0],
    [
      'the second open',
      {
        open: (call, queue, options) =>
          queue === 'b' ? Promise.reject(new Error('down')) : call(queue, options),
      },
      1,
    ],
  ])('that fails at %s can be tried again, and left nothing open', async (_name, faults, opened) => {
    const sessions: string[] = []
    const { receiver, publisher } = receiving(faults, {
      close: (call, options) => (sessions.push('closed'), call(options)),
    })
    const handled = signal<unknown>()
    receiver.on('a', 'x.*', (event) => handled.give(event.data)).on('b', 'y.*', nothing)
    await expect(receiver.start()).rejects.toThrow('down')
    expect(sessions).toHaveLength(opened)
    for (const name of Object.keys(faults)) Reflect.deleteProperty(faults, name)
    await receiver.start()
    await publisher.publish('x.y', 7)
    expect(await handled.come).toBe(7)
  })

  test('with a signal that is aborted already, or a receiver that was stopped, is refused', async () => {
    const { receiver } = receiving()
    receiver.on('a', 'x', nothing)
    await expect(receiver.start({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'STOPPED' })
    await receiver.stop()
    await expect(receiver.start()).rejects.toMatchObject({ code: 'STOPPED' })
  })

  test('aborting the signal stops', async () => {
    const closed = signal()
    const { receiver } = receiving({}, { close: (call, options) => (closed.give(), call(options)) })
    receiver.on('a', 'x', nothing)
    const abort = new AbortController()
    await receiver.start({ signal: abort.signal })
    abort.abort()
    await closed.come
    await receiver.stop()
  })

  test.each(['declare', 'open'] as const)(
    'that a stop overtakes in %s ends there, consuming nothing',
    async (step) => {
      const reached = signal()
      const goOn = signal()
      const sessions: string[] = []
      const wait = async (call: (...args: never[]) => unknown, ...args: never[]): Promise<never> => {
        reached.give()
        await goOn.come
        return (await call(...args)) as never
      }
      const { receiver } = receiving(
        { [step]: wait },
        {
          exchange: (call, request) => (sessions.push('exchange'), call(request)),
          close: (call, options) => (sessions.push('close'), call(options)),
        },
      )
      receiver.on('a', 'x', nothing).on('b', 'x', nothing)
      const starting = receiver.start().catch((error: unknown) => error)
      await reached.come
      const stopping = receiver.stop()
      goOn.give()
      expect(await starting).toMatchObject({ code: 'STOPPED' })
      await stopping
      expect(sessions).toEqual(step === 'open' ? ['close'] : [])
    },
  )

  test('that hangs does not hold up a stop, and consumes nothing when it goes on', async () => {
    const reached = signal()
    const goOn = signal()
    let opened = 0
    const { receiver } = receiving({
      async declare(call, queues) {
        reached.give()
        await goOn.come
        return call(queues)
      },
      open: (call, queue, options) => (opened++, call(queue, options)),
    })
    receiver.on('a', 'x', nothing)
    const starting = receiver.start().catch((error: unknown) => error)
    await reached.come
    const began = performance.now()
    await receiver.stop({ timeout: 30 })
    expect(performance.now() - began).toBeLessThan(1_000)
    goOn.give()
    expect(await starting).toMatchObject({ code: 'STOPPED' })
    expect(opened).toBe(0)
  })
})

test('stop takes a duration, is idempotent, and needs no start', async () => {
  const { receiver } = receiving()
  await expect(receiver.stop({ timeout: -1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await Promise.all([receiver.stop(), receiver.stop()])
})

describe('pause and resume', () => {
  test('need a queue that consumes', async () => {
    const { receiver } = receiving()
    receiver.on('a', 'x', nothing)
    expect(() => receiver.pause('b')).toThrowError(coded('UNKNOWN_QUEUE'))
    expect(() => receiver.pause('a')).toThrowError(coded('STOPPED'))
    await receiver.start()
    receiver.pause('a')
    await receiver.stop()
    expect(() => receiver.resume('a')).toThrowError(coded('STOPPED'))
  })
})

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

test('one exchange settles what was handled and takes what comes next', async () => {
  const taken: { readonly settle: number; readonly received: number }[] = []
  let settledAlone = 0
  let left = 600
  const handled = signal()
  const { receiver, publisher, transport } = receiving(
    {},
    {
      async exchange(call, request) {
        const result = await call(request)
        taken.push({ settle: request.settle.length, received: result.received.length })
        return result
      },
      settle: (call, list) => ((settledAlone += list.length), call(list)),
    },
  )
  receiver.queue('a', { prefetch: 100 }).on('x.y', () => (--left === 0 ? handled.give() : undefined))
  const subscriptions = [{ topic: 'x', pattern: 'x.y' }]
  await transport.declare([{ name: 'a', subscriptions, from: 'now', order: false }])
  await publisher.publish(Array.from({ length: 600 }, (_, n) => createEvent('x.y', n)))
  await receiver.start()
  await handled.come
  await receiver.stop()
  expect(taken.filter(({ settle, received }) => settle > 0 && received > 0).length).toBeGreaterThanOrEqual(4)
  // The last ones have nobody behind them.
  expect(settledAlone).toBeLessThanOrEqual(200)
})

describe('a system that misbehaves', () => {
  test('an exchange that fails is tried again, and what it was to settle is settled', async () => {
    let failures = 3
    const { receiver, publisher, log, transport } = receiving(
      {},
      {
        exchange(call, request) {
          if (request.settle.length > 0 && failures-- > 0) return Promise.reject(new Error('cut'))
          return call(request)
        },
        settle(call, list) {
          return failures-- > 0 ? Promise.reject(new Error('cut')) : call(list)
        },
      },
    )
    receiver.queue('a', { prefetch: 1 }).on('x.y', nothing)
    await receiver.start()
    await publisher.publish('x.y', 1)
    await turns(10)
    await receiver.stop({ timeout: 2_000 })
    expect(await transport.admin.queues()).toMatchObject([{ name: 'a', depth: 0, inFlight: 0, delayed: 0 }])
    expect(failures).toBeLessThanOrEqual(0)
    expect(log).toEqual([
      'warn millrace a: An exchange with the transport failed; trying again: cut [CONNECTION_LOST]',
      expect.stringMatching(/^warn millrace a: The transport answers again after .* \[CONNECTION_LOST\]$/),
    ])
  })

  test('settlements that it refuses again and again are one line, and one when they are taken', async () => {
    const [full, handled] = [new MillraceError('STORE_FULL', 'full'), signal()]
    let refusals = 0
    const { receiver, publisher, log } = receiving(
      {},
      { settle: async (call, list) => (refusals++ < 3 ? list.map(() => full) : call(list)) },
    )
    receiver.on('a', 'x.y', ({ data }) => void (data === 3 && handled.give()))
    await receiver.start()
    await publisher.publish([1, 2, 3].map((n) => createEvent('x.y', n)))
    await handled.come
    await receiver.stop()
    expect(log).toEqual([
      expect.stringMatching(/^error millrace a x\.y .*: could not be settled; .*: full \[STORE_FULL\]$/),
      expect.stringMatching(/^warn millrace a: All .* is settled after .* \[STORE_FULL\]$/),
    ])
  })

  test('a ready that rejects is an outage, not the end of consuming', async () => {
    let failures = 1
    const handled = signal()
    const { receiver, publisher } = receiving(
      {},
      { ready: (call, stop) => (failures-- > 0 ? Promise.reject(new Error('cut')) : call(stop)) },
    )
    receiver.on('a', 'x.y', () => handled.give())
    await receiver.start()
    await publisher.publish('x.y', 1)
    await handled.come
  })

  test('claims of lapsed events that bring nothing are no hot loop', async () => {
    let asked = 0
    const { receiver } = receiving(
      {},
      {
        async exchange(call, request) {
          if ((request.lapsed ?? 0) > 0) asked++
          return { ...(await call(request)), lapsed: true }
        },
      },
    )
    receiver.on('a', 'x.y', nothing)
    await receiver.start()
    await turns(50)
    expect(asked).toBe(1)
  })

  test.each(['exchange', 'settle', 'quiesce', 'close'] as const)(
    'a stop is bounded though %s never answers',
    async (step) => {
      const reached = signal()
      let stuck = false
      const hang: SessionFaults = {
        [step]: (call: (...args: never[]) => never, ...args: never[]) => (stuck ? never() : call(...args)),
      }
      const { receiver, publisher } = receiving({}, hang)
      const end = signal()
      receiver.queue('a', { concurrency: 1, prefetch: 1 }).on('x.y', async () => {
        reached.give()
        await end.come
      })
      await receiver.start()
      await publisher.publish('x.y', 1)
      await reached.come
      stuck = true
      end.give()
      await turns()
      expect(await within(receiver.stop({ timeout: 50 }), 2_050)).toBe(true)
    },
  )

  test.each(['quiesce', 'close'] as const)('a stop goes on though %s fails', async (step) => {
    const { receiver, log } = receiving({}, { [step]: () => Promise.reject(new Error('cut')) })
    receiver.on('a', 'x.y', nothing)
    await receiver.start()
    await receiver.stop()
    expect(log).toEqual(['warn millrace a: The transport failed at the stop: cut [CONNECTION_LOST]'])
  })
})
