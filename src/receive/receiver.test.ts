import { describe, expect, test } from 'vitest'
import type { TransportFaults } from '../../test/faulty-transport.ts'
import { receiving } from '../../test/receiving.ts'
import { signal } from '../../test/signals.ts'
import { createEvent } from '../event/event.ts'

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

test('a handler whose promise cannot be waited for has failed, and the queue goes on', async () => {
  const { receiver, publisher, log } = receiving()
  const handled = signal()
  receiver
    .queue('a', { concurrency: 1, retry: { attempts: 1 } })
    .on('x.y', ({ data }) => (data === 1 ? new Proxy(Promise.resolve(), {}) : handled.give()))
  await receiver.start()
  await publisher.publish([1, 2].map((n) => createEvent('x.y', n)))
  await handled.come
  expect(log).toEqual([expect.stringContaining('incompatible receiver')])
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
