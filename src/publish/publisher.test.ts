import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { faultyTransport, never, type TransportFaults } from '../../test/faulty-transport.ts'
import { signal } from '../../test/signals.ts'
import { systemClock } from '../clock/clock.ts'
import type { Bridge } from '../contract/bridge.ts'
import { defineEvents, runtimeOf } from '../event/catalog.ts'
import { createEvent, EventRecord, type MillraceEvent } from '../event/event.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { Payload } from '../event/payload.ts'
import { EventPublisher, type DeliveryFailure, type PublisherParts } from './publisher.ts'

/** A publisher on the memory transport that writes down what reaches that. */
function publishing(
  parts: Partial<PublisherParts> = {},
  publish?: TransportFaults['publish'],
): { publisher: EventPublisher; sent: Outgoing[] } {
  const sent: Outgoing[] = []
  const transport = faultyTransport({
    publish(call, events, options) {
      sent.push(...events)
      return publish === undefined ? call(events, options) : publish(call, events, options)
    },
  })
  return {
    publisher: new EventPublisher({ transport: async () => transport, clock: systemClock, ...parts }),
    sent,
  }
}

const failing: TransportFaults['publish'] = () => Promise.reject(new Error('down'))

describe('publish', () => {
  test('takes a type and data, an event, or several', async () => {
    const { publisher, sent } = publishing({ source: '/shop' })
    await publisher.publish('a.b', { n: 1 }, { key: 'k' })
    await publisher.publish(createEvent('a.c', 2))
    await publisher.publish([createEvent('a.d', 3), createEvent('a.e', 4)])
    expect(sent.map(({ type, key, data, head }) => [type, key, data, head.source])).toEqual([
      ['a.b', 'k', '{"n":1}', '/shop'],
      ['a.c', undefined, '2', '/shop'],
      ['a.d', undefined, '3', '/shop'],
      ['a.e', undefined, '4', '/shop'],
    ])
  })

  test('encodes at once: what is changed afterwards changes nothing', async () => {
    const { publisher, sent } = publishing()
    const data = { n: 1 }
    const bytes = Uint8Array.of(1)
    const both = [publisher.publish('a.b', data), publisher.publish('a.b', bytes)]
    data.n = 2
    bytes[0] = 2
    await Promise.all(both)
    expect(sent.map((event) => event.data)).toEqual(['{"n":1}', Uint8Array.of(1)])
  })

  test.each<[string, () => unknown, string]>([
    ['a bad type', () => ['a.*', 1], 'INVALID_EVENT'],
    ['data that is no JSON', () => ['a.b', 1n], 'DATA_NOT_JSON'],
    ['nothing', () => [undefined], 'INVALID_EVENT'],
    ['null among events', () => [[createEvent('a.b', 1), null]], 'INVALID_EVENT'],
    [
      'a transaction that the transport does not know',
      () => ['a.b', 1, { transaction: {} }],
      'TRANSACTION_UNSUPPORTED',
    ],
  ])('rejects %s', async (_name, args, code) => {
    const { publisher, sent } = publishing()
    await expect(
      publisher.publish(...(args() as Parameters<typeof publisher.publish>)),
    ).rejects.toMatchObject({ code })
    expect(sent).toEqual([])
  })

  test('makes the same id of the same idempotency key', async () => {
    const { publisher, sent } = publishing({ source: '/shop' })
    for (const idempotencyKey of ['one', 'one', 'two']) await publisher.publish('a.b', 1, { idempotencyKey })
    await publisher.publish('a.b', 1, { idempotencyKey: 'one', id: 'mine' })
    await publisher.publish('a.b', 1, { idempotencyKey: 'one', source: '/other' })
    const [first, again, second, own, other] = sent.map(({ id }) => id)
    expect(again).toBe(first)
    expect(own).toBe('mine')
    expect(new Set([first, second, other]).size).toBe(3)
  })
})

describe('with a catalog', () => {
  const events = defineEvents(
    {
      'order.placed': z.object({ n: z.string().transform(Number) }),
      'order.slow': z.object({ n: z.number() }).refine(async ({ n }) => n < 10),
    },
    { topic: () => 'orders' },
  )
  const parts = { catalog: runtimeOf(events) }

  test("sends the schema's input, to the catalog's topic", async () => {
    const { publisher, sent } = publishing(parts)
    await publisher.publish('order.placed', { n: '7', more: true })
    expect(sent).toMatchObject([{ topic: 'orders', data: '{"n":"7","more":true}' }])
  })

  test.each<[string, string, unknown, string]>([
    ['an unknown type', 'order.paid', {}, 'UNKNOWN_TYPE'],
    ['data that does not fit', 'order.placed', { n: 7 }, 'DATA_INVALID'],
    ['data that an asynchronous schema refuses', 'order.slow', { n: 70 }, 'DATA_INVALID'],
  ])('rejects %s', async (_name, type, data, code) => {
    const { publisher, sent } = publishing(parts)
    await expect(publisher.publish(type, data)).rejects.toMatchObject({ code })
    expect(sent).toEqual([])
  })

  test('two bad events of one publish are one rejection, and none that nobody handles', async () => {
    const { publisher } = publishing(parts)
    const both = [createEvent('order.slow', { n: 70 }), createEvent('order.placed', { n: 7 })]
    // vitest fails the run on an unhandled rejection
    await expect(publisher.publish(both)).rejects.toMatchObject({ code: 'DATA_INVALID' })
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('an event that was handled is published on as it came, a spread of it too', async () => {
    const { publisher, sent } = publishing(parts)
    const handled = (): EventRecord => {
      const payload = Payload.from('{"n":"7"}', undefined)
      const again = (): unknown => ({ n: 7 })
      payload.replace(again(), again)
      return new EventRecord(
        '1',
        'order.placed',
        undefined,
        { source: '/s', topic: 'orders', time: 0 },
        payload,
      )
    }
    await publisher.publish(handled())
    await publisher.publish({ ...handled() } as unknown as MillraceEvent)
    expect(sent.map(({ data }) => data)).toEqual(['{"n":"7"}', '{"n":"7"}'])
    const changed = handled()
    ;(changed.data as { n: number }).n = 8
    // What would travel is checked, not what came.
    await expect(publisher.publish(changed)).rejects.toMatchObject({ code: 'DATA_INVALID' })
  })
})

describe('a producer that outruns its transport', () => {
  const full = { code: 'PUBLISH_OVERLOADED', results: ['rejected', 'rejected'], retryable: true }

  test('is refused while 100,000 events wait, and goes on when they are taken', async () => {
    const answer = signal()
    const { publisher, sent } = publishing({}, (call, ...args) => answer.come.then(() => call(...args)))
    const failures: DeliveryFailure[] = []
    publisher.onDeliveryFailure((failure) => failures.push(failure))
    const one = createEvent('a.b', 1)
    const most = publisher.publish(Array.from({ length: 99_999 }, () => one))
    // One call may go beyond.
    const last = publisher.publish([one, one])
    await expect(publisher.publish([one, one])).rejects.toMatchObject(full)
    await expect(publisher.publish('a.b', 1)).rejects.toMatchObject({ ...full, results: ['rejected'] })
    expect(failures.map(({ events }) => events.length)).toEqual([2, 1])
    answer.give()
    await Promise.all([most, last])
    await publisher.publish('a.b', 1)
    expect(sent).toHaveLength(100_002)
    await publisher.drain()
  })

  test('is refused while 256 MiB wait; what fails waits no more', async () => {
    const refused = signal()
    const { publisher } = publishing({}, () => refused.come.then(() => Promise.reject(new Error('down'))))
    const large = createEvent('a.b', Buffer.alloc(64 * 2 ** 20))
    const waiting = [1, 2, 3, 4].map(() => publisher.publish(large).catch(() => undefined))
    await expect(publisher.publish([large, large])).rejects.toMatchObject(full)
    refused.give()
    await Promise.all(waiting)
    await expect(publisher.publish('a.b', 1)).rejects.toMatchObject({ message: 'down' })
  })
})

describe('hooks', () => {
  test('hear of a publish that failed, with its events and where they should have gone', async () => {
    const { publisher } = publishing({ destination: 'memory' }, failing)
    const failures: DeliveryFailure[] = []
    const off = publisher.onDeliveryFailure((failure) => void failures.push(failure))
    const event = createEvent('a.b', 1)
    await expect(publisher.publish(event)).rejects.toThrow('down')
    off()
    await expect(publisher.publish(event)).rejects.toThrow('down')
    expect(failures).toEqual([
      { events: [event], destination: 'memory', error: expect.objectContaining({ message: 'down' }) },
    ])
  })

  test('that throw or reject are reported, and harm neither the caller nor other hooks', async () => {
    const reported: unknown[] = []
    const { publisher } = publishing({ hookFailed: (error) => void reported.push(error) }, failing)
    const heard: string[] = []
    publisher.onDeliveryFailure(() => {
      throw new Error('thrown')
    })
    publisher.onDeliveryFailure(async () => {
      throw new Error('rejected')
    })
    publisher.onDeliveryFailure(() => void heard.push('third'))
    await expect(publisher.publish('a.b', 1)).rejects.toThrow('down')
    await publisher.drain()
    expect(reported).toEqual([new Error('thrown'), new Error('rejected')])
    expect(heard).toEqual(['third'])
  })

  test('have ended when drain resolves', async () => {
    const { publisher } = publishing({}, failing)
    let ended = false
    publisher.onDeliveryFailure(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      ended = true
    })
    publisher.publish('a.b', 1).catch(() => undefined)
    await publisher.drain()
    expect(ended).toBe(true)
  })
})

describe('drain and close', () => {
  test('drain waits for what was published so far, not for what comes later', async () => {
    let answer!: () => void
    let calls = 0
    const { publisher } = publishing({}, () =>
      ++calls === 1 ? new Promise<void>((resolve) => (answer = resolve)) : never(),
    )
    const first = publisher.publish('a.b', 1)
    await new Promise((resolve) => setImmediate(resolve))
    let drained = false
    const draining = publisher.drain().then(() => (drained = true))
    void publisher.publish('a.b', 2)
    await new Promise((resolve) => setImmediate(resolve))
    expect(drained).toBe(false)
    answer()
    await Promise.all([first, draining])
  })

  test('close waits for what is under way and refuses what comes after', async () => {
    const { publisher, sent } = publishing()
    const under = publisher.publish('a.b', 1)
    const closing = publisher.close()
    await expect(publisher.publish('a.b', 2)).rejects.toMatchObject({ code: 'STOPPED' })
    await closing
    await under
    expect(sent).toHaveLength(1)
  })

  test('giving up rejects what the transport has not taken, and says so to the hooks', async () => {
    const { publisher } = publishing({}, never)
    const failures: DeliveryFailure[] = []
    publisher.onDeliveryFailure((failure) => void failures.push(failure))
    const under = publisher.publish('a.b', 1)
    await new Promise((resolve) => setImmediate(resolve))
    publisher.giveUp()
    await expect(under).rejects.toMatchObject({ code: 'STOPPED', results: ['unknown'] })
    await publisher.drain()
    expect(failures).toHaveLength(1)
  })
})

describe('a bridge', () => {
  const bridged = (): { bridge: Bridge; log: unknown[] } => {
    const log: unknown[] = []
    const bridge: Bridge = {
      publish: async (events) => {
        await new Promise((resolve) => setImmediate(resolve))
        log.push(...events.map(({ id, data }) => ({ id, data })))
      },
      drain: async () => void log.push('drained'),
      close: async () => void log.push('closed'),
    }
    return { bridge, log }
  }

  test('gets what was published, and nothing of what is changed afterwards', async () => {
    const { bridge, log } = bridged()
    const publisher = new EventPublisher({ transport: undefined, bridge, clock: systemClock })
    const data = { n: 1 }
    const under = publisher.publish('a.b', data, { id: '1' })
    data.n = 2
    await under
    await publisher.close()
    expect(log).toEqual([{ id: '1', data: { n: 1 } }, 'drained', 'closed'])
  })

  test('takes part in no transaction, and is not asked to', async () => {
    const { bridge, log } = bridged()
    const publisher = new EventPublisher({ transport: undefined, bridge, clock: systemClock })
    await expect(publisher.publish('a.b', 1, { transaction: {} })).rejects.toMatchObject({
      name: 'PublishError',
      code: 'TRANSACTION_UNSUPPORTED',
    })
    expect(log).toEqual([])
  })

  test.each([
    ['neither', () => new EventPublisher({ transport: undefined, clock: systemClock })],
    [
      'both',
      () =>
        new EventPublisher({
          transport: async () => faultyTransport(),
          bridge: bridged().bridge,
          clock: systemClock,
        }),
    ],
  ])('or a transport is needed, not %s', (_name, make) => {
    expect(make).toThrowError(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})
