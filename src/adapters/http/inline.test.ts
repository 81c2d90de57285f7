import { describe, expect, test } from 'vitest'
import { recordingApp, type RecordingOptions } from '../../../test/recording-app.ts'
import { signal } from '../../../test/signals.ts'
import type { Delivery } from '../../contract/delivery.ts'
import { createEvent } from '../../event/event.ts'
import { httpIngress } from './ingress.ts'

type Queue = NonNullable<RecordingOptions['queues']>[number]

const queue = (name: string, handle: Queue['handle'], pattern = 'order.*'): Queue => ({
  name,
  pattern,
  handle,
})
const ack = (delivery: Delivery): Promise<void> => delivery.ack()

/** Posts a batch of the types, with ids 0, 1, 2, to an ingress in front of the queues. */
async function answerTo(queues: readonly Queue[], ...types: string[]) {
  const app = recordingApp({ queues })
  const batch = types.map((type, i) => ({
    specversion: '1.0',
    id: `${i}`,
    type,
    source: '/shop',
    data: { n: 1 },
  }))
  const request = new Request('http://localhost/', {
    method: 'POST',
    body: JSON.stringify(batch),
    headers: { 'content-type': 'application/cloudevents-batch+json' },
  })
  const response = await httpIngress(app, { mode: 'inline', verify: () => true })(request)
  expect(app.calls).toBe(0)
  const body = (await response.json()) as { code: string; message: string; ids?: string[] }
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...body, log: app.log }
}

describe('inline', () => {
  test('hands each event to every queue that takes it: events in turn, queues side by side', async () => {
    const steps: string[] = []
    let entered = 0
    const both = Promise.withResolvers<void>()
    const meet: Queue['handle'] = async (delivery) => {
      steps.push(`${delivery.queue} takes ${delivery.event.id}, attempt ${delivery.attempt}`)
      if (++entered === 2) both.resolve()
      await both.promise
      await delivery.ack()
      steps.push(`${delivery.queue} is done`)
    }
    const answer = await answerTo([queue('billing', meet), queue('mail', meet)], 'order.placed', 'order.paid')
    expect(answer).toMatchObject({ status: 200, code: 'HANDLED', message: '2 handled', ids: ['0', '1'] })
    const done = ['billing is done', 'mail is done']
    expect(steps).toEqual([
      'billing takes 0, attempt 1',
      'mail takes 0, attempt 1',
      ...done,
      'billing takes 1, attempt 1',
      'mail takes 1, attempt 1',
      ...done,
    ])
  })

  test('gives every queue an event of its own', async () => {
    const seen: unknown[] = []
    const change: Queue['handle'] = async (delivery) => {
      const data = delivery.event.data as { n: number }
      seen.push(data.n++)
      await delivery.ack()
    }
    await answerTo([queue('a', change), queue('b', change)], 'order.placed')
    expect(seen).toEqual([1, 1])
  })

  const failures: [string, Queue['handle'], number, string | null][] = [
    ['a retry', (delivery) => delivery.retry(), 500, null],
    [
      'a retry with no delay',
      (delivery) => delivery.retry({ delay: 0, error: new Error('at /secret') }),
      500,
      null,
    ],
    ['a delayed retry', (delivery) => delivery.retry({ delay: '90s' }), 503, '90'],
    ['a part of a second', (delivery) => delivery.retry({ delay: 1 }), 503, '1'],
    ['seconds and a part', (delivery) => delivery.retry({ delay: 2_001 }), 503, '3'],
    ['a dead letter', (delivery) => delivery.deadLetter(new Error('at /secret')), 500, null],
    ['a rejected promise', (delivery) => delivery.settle(Promise.reject(new Error('at /secret'))), 500, null],
    ['nothing settled', async () => {}, 500, null],
  ]
  test.each(failures)('answers %s', async (_, handle, status, retryAfter) => {
    const { log, ...answer } = await answerTo([queue('mail', ack), queue('billing', handle)], 'order.placed')
    expect(answer).toEqual({
      status,
      retryAfter,
      code: 'HANDLER_FAILED',
      message: 'The event could not be handled',
    })
    expect(log).toEqual([])
  })

  test('answers the longest delay of several queues', async () => {
    const retry = (delay: number): Queue => queue(`${delay}`, (delivery) => delivery.retry({ delay }))
    const dead = queue('dead', (delivery) => delivery.deadLetter(new Error('no')))
    const answer = await answerTo([retry(1_000), retry(7_000), dead, retry(2_000)], 'order.placed')
    expect(answer).toMatchObject({ status: 503, retryAfter: '7' })
  })

  test('ends with the first event that fails', async () => {
    const seen: string[] = []
    const failSecond: Queue['handle'] = async (delivery) => {
      seen.push(delivery.event.id)
      await delivery.settle(delivery.event.id === '1' ? Promise.reject(new Error('no')) : Promise.resolve())
    }
    const { status } = await answerTo([queue('billing', failSecond)], 'order.a', 'order.b', 'order.c')
    expect(status).toBe(500)
    expect(seen).toEqual(['0', '1'])
  })

  test('runs nothing if an event has no queue', async () => {
    const seen: string[] = []
    const note: Queue['handle'] = async (delivery) => void seen.push(delivery.event.id)
    const answer = await answerTo([queue('billing', note)], 'order.placed', 'stock.low')
    expect(answer).toMatchObject({ status: 503, retryAfter: '5', code: 'NO_HANDLER' })
    expect(answer.message).toContain('stock.low')
    expect(seen).toEqual([])
  })

  test('waits for the other queues when one cannot be reached, and tells only the log', async () => {
    let slow = false
    const answer = await answerTo(
      [
        queue('broken', () => Promise.reject(new Error('the receiver of host 7 is closed'))),
        queue('slow', async (delivery) => {
          await new Promise(setImmediate)
          slow = true
          await delivery.ack()
        }),
      ],
      'order.placed',
    )
    expect(slow).toBe(true)
    expect(answer).toMatchObject({ status: 503, retryAfter: '5', code: 'HTTP_UNAVAILABLE' })
    expect(answer.message).not.toContain('host')
    expect(answer.log).toEqual([expect.stringContaining('host 7')])
  })

  test(
    'while 10,000 requests are under way others are refused; each gives its place back',
    { timeout: 30_000 },
    async () => {
      const gates: (() => void)[] = []
      const [full, oneMore] = [signal(), signal()]
      const wait: Queue['handle'] = async (delivery) => {
        const open = signal()
        if (gates.push(open.give) === 10_000) full.give()
        else if (gates.length > 10_000) oneMore.give()
        await open.come
        await delivery.ack()
      }
      const app = recordingApp({ queues: [queue('slow', wait)] })
      const ingress = httpIngress(app, {
        mode: 'inline',
        verify: () => true,
        toEvent: () => createEvent('order.placed', 1),
      })
      const post = (method = 'POST'): Promise<Response> =>
        ingress(new Request('http://localhost/', { method }))
      const underWay = Array.from({ length: 10_000 }, () => post())
      await full.come
      expect((await post()).status).toBe(503)
      gates[0]!()
      expect((await underWay[0]!).status).toBe(200)
      underWay.push(post())
      await oneMore.come
      gates.forEach((open) => open())
      for (const answer of underWay) expect((await answer).status).toBe(200)
    },
  )

  test('a delivery is settled once, and needs no lease', async () => {
    const errors: unknown[] = []
    const twice: Queue['handle'] = async (delivery) => {
      await delivery.extend('1m')
      await delivery.ack()
      const again = [delivery.ack(), delivery.retry(), delivery.deadLetter(new Error('no'))]
      for (const result of await Promise.allSettled(again)) errors.push(result)
    }
    expect(await answerTo([queue('billing', twice)], 'order.placed')).toMatchObject({ status: 200 })
    const settled = { status: 'rejected', reason: expect.objectContaining({ code: 'ALREADY_SETTLED' }) }
    expect(errors).toEqual([settled, settled, settled])
  })
})
