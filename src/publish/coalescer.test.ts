import { describe, expect, test } from 'vitest'
import { faultyTransport, never, type TransportFaults } from '../../test/faulty-transport.ts'
import { PublishError } from '../contract/publish-error.ts'
import type { Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { createEvent } from '../event/event.ts'
import { encodeEvent, type Outgoing } from '../event/outgoing.ts'
import type { Outcomes } from './call.ts'
import { Coalescer } from './coalescer.ts'

const event = (id: string, key?: string, data: unknown = 1): Outgoing =>
  encodeEvent(createEvent('a.b', data, { id, ...(key !== undefined && { key }) }))
const some = (n: number, from = 0): Outgoing[] => Array.from({ length: n }, (_, i) => event(String(from + i)))

const deaf: Outcomes = { taken() {}, failed() {} }

/** A coalescer on the memory transport that writes down which calls it makes. */
function coalescing(
  publish?: TransportFaults['publish'],
  outcomes = deaf,
): { coalescer: Coalescer; calls: string[][] } {
  const calls: string[][] = []
  const transport = faultyTransport({
    publish(call, events, options) {
      calls.push(events.map(({ id }) => id))
      return publish === undefined ? call(events, options) : publish(call, events, options)
    },
  })
  return { coalescer: new Coalescer(async () => transport, outcomes), calls }
}

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

/** A transport that gives events their places at once, and makes them safe when it is told to. */
function placing(): { coalescer: Coalescer; calls: string[][]; safe: (() => void)[] } {
  const safe: (() => void)[] = []
  const made = coalescing(async (call, events, options) => {
    await call(events)
    options?.placed?.()
    await new Promise<void>((resolve) => safe.push(resolve))
  })
  return { ...made, safe }
}

test('where events have their places before they are safe, the next call begins, and not the one after', async () => {
  const { coalescer, calls, safe } = placing()
  const order: string[] = []
  const publish = (id: string): Promise<void> =>
    coalescer.publish([event(id)], undefined).then(() => void order.push(id))
  const published = [publish('1')]
  await expect.poll(() => safe.length).toBe(1)
  published.push(publish('2'))
  await expect.poll(() => safe.length).toBe(2)
  published.push(publish('3'))
  await new Promise((resolve) => setImmediate(resolve))
  expect([calls, order]).toEqual([[['1'], ['2']], []])
  safe[0]!()
  await expect.poll(() => safe.length).toBe(3)
  expect([calls, order]).toEqual([[['1'], ['2'], ['3']], ['1']])
  safe[1]!()
  safe[2]!()
  await Promise.all(published)
  expect(order).toEqual(['1', '2', '3'])
})

test('then a half of many goes first, of whole calls, so that the other can be written while it is made safe', async () => {
  const { coalescer, calls, safe } = placing()
  const first = coalescer.publish([event('0')], undefined)
  await expect.poll(() => safe.length).toBe(1)
  safe[0]!()
  await first
  const all = [some(20, 1), some(20, 21), some(60, 41)].map((events) => coalescer.publish(events, undefined))
  await expect.poll(() => safe.length).toBe(2)
  expect(calls[1]).toHaveLength(100)
  safe[1]!()
  await Promise.all(all)
  const many = some(100).map((one) => coalescer.publish([one], undefined))
  await expect.poll(() => safe.length).toBe(4)
  expect(calls.slice(2).map((ids) => ids.length)).toEqual([50, 50])
  for (const answer of safe) answer()
  await Promise.all(many)
})

test('a transport that made the last events safe at once is given all again', async () => {
  const { coalescer, calls } = coalescing(async (_call, _events, options) => {
    if (calls.length === 1) options?.placed?.()
  })
  await coalescer.publish([event('0')], undefined)
  for (const from of [100, 200])
    await Promise.all(some(100, from).map((one) => coalescer.publish([one], undefined)))
  expect(calls.map((ids) => ids.length)).toEqual([1, 50, 50, 100])
})

test('what fails once others may come behind it is not sent again', async () => {
  const safe = Promise.withResolvers<void>()
  const { coalescer, calls } = coalescing(async (_call, events, options) => {
    options?.placed?.()
    await safe.promise
    const results = events.map(() => 'unknown' as const)
    throw new PublishError('refused', { results, retryable: false })
  })
  const published = Promise.allSettled([
    coalescer.publish([event('1')], undefined),
    coalescer.publish([event('2')], undefined),
  ])
  await expect.poll(() => calls.length).toBe(1)
  const behind = Promise.allSettled([coalescer.publish([event('3')], undefined)])
  await expect.poll(() => calls.length).toBe(2)
  safe.resolve()
  const unknown = { reason: { message: 'refused', results: ['unknown'], retryable: false } }
  expect([...(await published), ...(await behind)]).toMatchObject([unknown, unknown, unknown])
  expect(calls).toEqual([['1', '2'], ['3']])
})

/** A transport whose calls may overlap, as long as `may` says so; each ends when it is told to. */
function overlapping(may = () => true): {
  coalescer: Coalescer
  calls: string[][]
  answers: (() => void)[]
} {
  const calls: string[][] = []
  const answers: (() => void)[] = []
  const transport = faultyTransport({
    publish(_call, events) {
      calls.push(events.map(({ id }) => id))
      return new Promise<void>((resolve) => answers.push(resolve))
    },
  })
  const apart = new Proxy(transport, {
    get: (target, name): unknown => (name === 'overlaps' ? may() : Reflect.get(target, name)),
  })
  return { coalescer: new Coalescer(async () => apart, deaf), calls, answers }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('where calls may overlap, the next one begins, up to what has a key in common with one under way', async () => {
  const { coalescer, calls, answers } = overlapping()
  const publish = (...events: Outgoing[]): Promise<void> => coalescer.publish(events, undefined)
  const published = [publish(event('1', 'a'), event('2'))]
  await expect.poll(() => calls.length).toBe(1)
  published.push(
    publish(event('3', 'b')),
    publish(event('4')),
    publish(event('5', 'a')),
    publish(event('6', 'c')),
  )
  await expect.poll(() => calls.length).toBe(2)
  await turn()
  expect(calls).toEqual([
    ['1', '2'],
    ['3', '4'],
  ])
  answers[1]!()
  await Promise.all(published.slice(1, 3))
  await turn()
  expect(calls).toHaveLength(2)
  answers[0]!()
  await expect.poll(() => calls.slice(2)).toEqual([['5', '6']])
  answers[2]!()
  await Promise.all(published)
})

test('where calls may overlap, no more than two do, and those of one publish do not', async () => {
  const { coalescer, calls, answers } = overlapping()
  const published = [coalescer.publish(some(600), undefined)]
  await expect.poll(() => calls.length).toBe(1)
  await turn()
  expect(calls.map((ids) => ids.length)).toEqual([512])
  answers[0]!()
  await expect.poll(() => calls.map((ids) => ids.length)).toEqual([512, 88])
  for (const id of ['x', 'y']) {
    published.push(coalescer.publish([event(id)], undefined))
    await turn()
    await turn()
  }
  expect(calls.slice(2)).toEqual([['x']])
  answers[1]!()
  await expect.poll(() => calls.slice(3)).toEqual([['y']])
  for (const answer of answers) answer()
  await Promise.all(published)
})

test('where calls may overlap no longer, what has a key in common with one under way waits all the same', async () => {
  let may = true
  const { coalescer, calls, answers } = overlapping(() => may)
  const publish = (one: Outgoing): Promise<void> => coalescer.publish([one], undefined)
  const published = [publish(event('1', 'a'))]
  await expect.poll(() => calls.length).toBe(1)
  may = false
  published.push(publish(event('2', 'b')))
  await expect.poll(() => calls.length).toBe(2)
  published.push(publish(event('3', 'a')))
  answers[1]!()
  await published[1]
  await turn()
  await turn()
  expect(calls).toEqual([['1'], ['2']])
  answers[0]!()
  await expect.poll(() => calls.slice(2)).toEqual([['3']])
  answers[2]!()
  await Promise.all(published)
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
