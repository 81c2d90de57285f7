import { describe, expect, test } from 'vitest'
import { coalescing, deaf, event, some } from '../../test/coalescing.ts'
import { faultyTransport, never, type TransportFaults } from '../../test/faulty-transport.ts'
import { PublishError } from '../contract/publish-error.ts'
import type { Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { Coalescer } from './coalescer.ts'

/** Refuses the events of these ids, whatever else is in the call, as a store does that rolls back. */
const refusing =
  (...ids: string[]): TransportFaults['publish'] =>
  async (call, events, options) => {
    if (!events.some(({ id }) => ids.includes(id))) return call(events, options)
    const results = events.map(({ id }) => (ids.includes(id) ? ('rejected' as const) : ('unknown' as const)))
    throw new PublishError('refused', { results, retryable: false, code: 'EVENT_TOO_LARGE' })
  }

test('what is published in one turn leaves in one call, in its order', async () => {
  const { coalescer, calls } = coalescing()
  await Promise.all([
    coalescer.publish([event('1'), event('2')], undefined),
    coalescer.publish([event('3')], undefined),
  ])
  await coalescer.publish([event('4')], undefined)
  expect(calls).toEqual([['1', '2', '3'], ['4']])
})

test('what comes while a call is under way waits for it', async () => {
  let answer!: () => void
  const { coalescer, calls } = coalescing((call, ...args) =>
    calls.length > 1 ? call(...args) : new Promise<void>((resolve) => (answer = resolve)),
  )
  const first = coalescer.publish([event('1')], undefined)
  await new Promise((resolve) => setImmediate(resolve))
  const second = coalescer.publish([event('2')], undefined)
  await new Promise((resolve) => setImmediate(resolve))
  expect(calls).toEqual([['1']])
  answer()
  await Promise.all([first, second])
  expect(calls).toEqual([['1'], ['2']])
})

test('much leaves in calls of at most 512 events and 4 MiB', async () => {
  const { coalescer, calls } = coalescing()
  await coalescer.publish(some(1_100), undefined)
  expect(calls.map((ids) => ids.length)).toEqual([512, 512, 76])
  expect(calls.flat()).toEqual(some(1_100).map(({ id }) => id))
  calls.length = 0
  const large = 'x'.repeat(1_500_000)
  await coalescer.publish([event('a', 'k', large), event('b', 'k', large), event('c', 'k', large)], undefined)
  expect(calls).toEqual([['a', 'b'], ['c']])
})

test('nothing to publish needs no transport', async () => {
  const coalescer = new Coalescer(() => expect.unreachable(), deaf)
  await coalescer.publish([], undefined)
})

test('the outcome of each call is told once, before its caller hears of it', async () => {
  const told: string[] = []
  const tell =
    (what: string) =>
    (events: readonly Outgoing[]): void =>
      void told.push(`${events.map(({ id }) => id).join(' ')} ${what}`)
  let answer!: () => void
  const { coalescer } = coalescing(
    async (call, events) => {
      await new Promise<void>((resolve) => (answer = resolve))
      await call(events)
    },
    { taken: tell('taken'), failed: tell('failed') },
  )
  const abort = new AbortController()
  const heard = [
    coalescer.publish([event('1'), event('2')], undefined),
    coalescer.publish([], undefined),
    coalescer.publish([event('3')], AbortSignal.abort()),
    coalescer.publish([event('4')], abort.signal),
  ].map((call, n) => call.catch(() => undefined).then(() => told.push(`${n} heard`)))
  await new Promise((resolve) => setImmediate(resolve))
  abort.abort()
  answer()
  await Promise.all(heard)
  expect(told.toSorted()).toEqual(
    [' taken', '0 heard', '1 2 taken', '1 heard', '2 heard', '3 failed', '3 heard', '4 failed'].toSorted(),
  )
  for (const [n, outcome] of [' taken', '3 failed', '4 failed'].entries())
    expect(told.indexOf(outcome)).toBeLessThan(told.indexOf(`${n + 1} heard`))
  expect(told.indexOf('1 2 taken')).toBeLessThan(told.indexOf('0 heard'))
})

describe('failures', () => {
  test('one bad caller does not fail the others', async () => {
    const { coalescer, calls } = coalescing(refusing('bad'))
    const results = await Promise.allSettled([
      coalescer.publish([event('1')], undefined),
      coalescer.publish([event('bad'), event('2')], undefined),
      coalescer.publish([event('3')], undefined),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({
      reason: { code: 'EVENT_TOO_LARGE', results: ['rejected', 'unknown'] },
    })
    expect(calls).toEqual([['1', 'bad', '2', '3'], ['1'], ['bad', '2'], ['3']])
  })

  test('what was taken before the failure is not sent again', async () => {
    const { coalescer, calls } = coalescing(async (call, events, options) => {
      if (!events.some(({ id }) => id === 'bad')) return call(events, options)
      await call(events.filter(({ id }) => id !== 'bad'))
      const results = events.map(({ id }) => (id === 'bad' ? ('rejected' as const) : ('taken' as const)))
      throw new PublishError('refused', { results, retryable: false })
    })
    const results = await Promise.allSettled([
      coalescer.publish([event('1')], undefined),
      coalescer.publish([event('bad')], undefined),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(calls).toEqual([['1', 'bad'], ['bad']])
  })

  test('an error that may pass is the outcome of all, and nothing is sent again', async () => {
    const cause = new Error('ECONNRESET')
    const { coalescer, calls } = coalescing(() => Promise.reject(cause))
    const results = await Promise.allSettled([
      coalescer.publish([event('1'), event('2')], undefined),
      coalescer.publish([event('3')], undefined),
    ])
    expect(results).toMatchObject([
      { reason: { code: 'PUBLISH_FAILED', results: ['unknown', 'unknown'], retryable: true, cause } },
      { reason: { message: 'ECONNRESET', results: ['unknown'], retryable: true, cause } },
    ])
    expect(calls).toHaveLength(1)
  })

  test.each<[MillraceError['code'], boolean]>([
    ['TRANSPORT_UNREACHABLE', true],
    ['STORE_FULL', true],
    ['MISSING_PEER', false],
  ])('a transport that does not open with %s has taken nothing, retryable: %s', async (code, retryable) => {
    let down = true
    const transport = faultyTransport()
    const coalescer = new Coalescer(async () => {
      if (down) throw new MillraceError(code, 'down')
      return transport
    }, deaf)
    await expect(coalescer.publish([event('1')], undefined)).rejects.toMatchObject({
      code,
      retryable,
      results: ['rejected'],
    })
    down = false
    await coalescer.publish([event('1')], undefined)
  })

  test('what is too large is refused alone, and what follows with its key', async () => {
    const { coalescer, calls } = coalescing()
    const huge: Outgoing = { ...event('huge', 'k'), size: 65 * 1024 * 1024 }
    const error: unknown = await coalescer
      .publish([event('1', 'k'), huge, event('2', 'k'), event('3', 'other')], undefined)
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'EVENT_TOO_LARGE',
      retryable: false,
      results: ['taken', 'rejected', 'rejected', 'taken'],
    })
    expect((error as Error).message).toMatch(
      /^2 of 4 events were not taken: The event huge of type 'a\.b' takes/,
    )
    expect(calls).toEqual([['1'], ['3']])
  })

  test('what follows a failed event with its key in a later chunk does not overtake it', async () => {
    const { coalescer, calls } = coalescing(refusing('bad'))
    const events = [event('bad', 'k'), ...some(511), event('behind', 'k'), event('free', 'other')]
    const error: unknown = await coalescer.publish(events, undefined).catch((thrown: unknown) => thrown)
    expect((error as PublishError).results.slice(-2)).toEqual(['rejected', 'taken'])
    expect(calls[1]).toEqual(['free'])
  })

  test('keys of one caller do not hold back those of another', async () => {
    const { coalescer } = coalescing(refusing('bad'))
    const bad = coalescer.publish([event('bad', 'k')], undefined)
    const good = coalescer.publish([event('good', 'k')], undefined)
    await expect(bad).rejects.toThrow('refused')
    await good
  })
})

describe('an abort', () => {
  test('before the call: nothing is sent', async () => {
    const { coalescer, calls } = coalescing()
    const reason = new Error('enough')
    await expect(coalescer.publish([event('1')], AbortSignal.abort(reason))).rejects.toMatchObject({
      code: 'PUBLISH_ABORTED',
      results: ['rejected'],
      cause: reason,
    })
    expect(calls).toEqual([])
  })

  test('before the hand-over: nothing is sent, and others are', async () => {
    const { coalescer, calls } = coalescing()
    const abort = new AbortController()
    const given = coalescer.publish([event('1'), event('2')], abort.signal)
    const other = coalescer.publish([event('3')], undefined)
    abort.abort()
    await expect(given).rejects.toMatchObject({ code: 'PUBLISH_ABORTED', results: ['rejected', 'rejected'] })
    await other
    expect(calls).toEqual([['3']])
  })

  test('after the hand-over: the outcome is unknown, and what waits is not sent', async () => {
    let answer!: () => void
    const { coalescer, calls } = coalescing(() => new Promise<void>((resolve) => (answer = resolve)))
    const abort = new AbortController()
    const given = coalescer.publish(some(513), abort.signal)
    await new Promise((resolve) => setImmediate(resolve))
    abort.abort()
    const error: unknown = await given.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'PUBLISH_ABORTED', retryable: true })
    expect(new Set((error as PublishError).results.slice(0, 512))).toEqual(new Set(['unknown']))
    expect((error as PublishError).results[512]).toBe('rejected')
    answer()
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls).toHaveLength(1)
  })

  test('after the end changes nothing, and its listener is gone', async () => {
    const { coalescer } = coalescing()
    const abort = new AbortController()
    let listeners = 0
    const { signal } = abort
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args))
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args))
    await coalescer.publish([event('1')], signal)
    expect(listeners).toBe(0)
    abort.abort()
  })
})

test('giving up rejects what waits and what is under way, each with its outcome', async () => {
  const { coalescer, calls } = coalescing(never)
  const sent = coalescer.publish([event('1')], undefined)
  await new Promise((resolve) => setImmediate(resolve))
  const waiting = coalescer.publish([event('2')], undefined)
  coalescer.giveUp()
  await expect(sent).rejects.toMatchObject({ code: 'STOPPED', results: ['unknown'] })
  await expect(waiting).rejects.toMatchObject({ code: 'STOPPED', results: ['rejected'] })
  expect(calls).toEqual([['1']])
})

test('giving up takes no longer for each of many calls', async () => {
  const { coalescer } = coalescing(never)
  const one = event('1')
  const all = Promise.allSettled(Array.from({ length: 100_000 }, () => coalescer.publish([one], undefined)))
  // By the processor's time, which a busy machine does not stretch.
  const began = process.cpuUsage()
  coalescer.giveUp()
  expect(process.cpuUsage(began).user / 1_000).toBeLessThan(10_000)
  expect(new Set((await all).map(({ status }) => status))).toEqual(new Set(['rejected']))
}, 60_000)

test('giving up while the transport opens', async () => {
  const coalescer = new Coalescer(never as () => Promise<Transport>, deaf)
  const waiting = coalescer.publish([event('1')], undefined)
  await new Promise((resolve) => setImmediate(resolve))
  coalescer.giveUp()
  await expect(waiting).rejects.toMatchObject({ code: 'STOPPED', results: ['unknown'] })
})
