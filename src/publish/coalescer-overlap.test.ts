import { expect, test } from 'vitest'
import { coalescing, deaf, event, some } from '../../test/coalescing.ts'
import { faultyTransport } from '../../test/faulty-transport.ts'
import { PublishError } from '../contract/publish-error.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { Coalescer } from './coalescer.ts'

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

/** A transport of which so many calls may overlap; each ends when it is told to. */
function overlapping(most = () => 2): {
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
    get: (target, name): unknown => (name === 'overlaps' ? most() : Reflect.get(target, name)),
  })
  return { coalescer: new Coalescer(async () => apart, deaf), calls, answers }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('where calls may overlap, the next one begins, without what has a key in common with one under way', async () => {
  const { coalescer, calls, answers } = overlapping()
  const publish = (...events: Outgoing[]): Promise<void> => coalescer.publish(events, undefined)
  const published = [publish(event('1', 'a'), event('2'))]
  await expect.poll(() => calls.length).toBe(1)
  published.push(
    publish(event('3', 'b')),
    publish(event('4')),
    publish(event('5', 'a'), event('6', 'c')),
    publish(event('7', 'c')),
    publish(event('8', 'd')),
  )
  await expect.poll(() => calls.length).toBe(2)
  await turn()
  expect(calls).toEqual([
    ['1', '2'],
    ['3', '4', '8'],
  ])
  answers[1]!()
  await Promise.all([published[1], published[2], published[5]])
  await turn()
  expect(calls).toHaveLength(2)
  answers[0]!()
  await expect.poll(() => calls.slice(2)).toEqual([['5', '6', '7']])
  answers[2]!()
  await Promise.all(published)
})

test('where calls may overlap, no more do than the transport allows, and those of one publish do not', async () => {
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

test('where several calls may overlap, each gets its share of what waits, of whole calls; a few events wait for more', async () => {
  const { coalescer, calls, answers } = overlapping(() => 4)
  const lengths = (): readonly number[] => calls.map((ids) => ids.length)
  const published = [coalescer.publish([event('0')], undefined)]
  await expect.poll(() => answers.length).toBe(1)
  answers[0]!()
  await published[0]
  for (let n = 0; n < 3; n++) published.push(coalescer.publish(some(200, 1 + n * 200), undefined))
  await expect.poll(lengths).toEqual([1, 200, 200, 200])
  published.push(...some(4, 601).map((one) => coalescer.publish([one], undefined)))
  await turn()
  await turn()
  expect(lengths()).toEqual([1, 200, 200, 200])
  published.push(coalescer.publish(some(200, 605), undefined))
  await expect.poll(lengths).toEqual([1, 200, 200, 200, 204])
  for (const answer of answers) answer()
  await Promise.all(published)
})

test('where calls may overlap, others begin beside one that takes long, also after one with nothing to send', async () => {
  const { coalescer, calls, answers } = overlapping()
  const slow = coalescer.publish([event('slow', 'a')], undefined)
  await expect.poll(() => calls.length).toBe(1)
  const behind = coalescer.publish([event('behind', 'a')], undefined)
  await turn()
  const large = event('large', undefined, 'x'.repeat(200_000_000))
  await expect(coalescer.publish([large], undefined)).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' })
  const quick = coalescer.publish([event('quick')], undefined)
  await expect.poll(() => calls).toEqual([['slow'], ['quick']])
  answers[1]!()
  await quick
  answers[0]!()
  await expect.poll(() => answers.length).toBe(3)
  answers[2]!()
  await Promise.all([slow, behind])
})

test('where calls may overlap no longer, what has a key in common with one under way waits all the same', async () => {
  let most = 2
  const { coalescer, calls, answers } = overlapping(() => most)
  const publish = (one: Outgoing): Promise<void> => coalescer.publish([one], undefined)
  const published = [publish(event('1', 'a'))]
  await expect.poll(() => calls.length).toBe(1)
  most = 1
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
