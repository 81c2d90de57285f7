import { describe, expect, test, vi } from 'vitest'
import { faultyTransport, never, type TransportFaults } from '../../test/faulty-transport.ts'
import { systemClock } from '../clock/clock.ts'
import { PublishError } from '../contract/publish-error.ts'
import { createEvent, type MillraceEvent } from '../event/event.ts'
import { EventPublisher, type DeliveryFailure } from './publisher.ts'

describe('in a transaction', () => {
  const tx = { name: 'tx' }
  const calls: { ids: string[]; transaction: unknown }[] = []

  /** On a transport that says that it has transactions. */
  function publishingIn(publish: TransportFaults['publish'] = async () => undefined): {
    publisher: EventPublisher
    failures: DeliveryFailure[]
  } {
    calls.length = 0
    const plain = faultyTransport({
      publish(call, events, options) {
        calls.push({ ids: events.map(({ id }) => id), transaction: options?.transaction })
        return publish(call, events, options)
      },
    })
    const features = { ...plain.features, transactions: true, maxBytes: 1_000 }
    const transport = new Proxy(plain, {
      get: (target, name) => (name === 'features' ? features : Reflect.get(target, name)),
    })
    const publisher = new EventPublisher({ transport: async () => transport, clock: systemClock })
    const failures: DeliveryFailure[] = []
    publisher.onDeliveryFailure((failure) => void failures.push(failure))
    return { publisher, failures }
  }
  const event = (id: string, data: unknown = 1): MillraceEvent => createEvent('a.b', data, { id })

  test('each call goes by itself, at once, and never with what others publish', async () => {
    const { publisher } = publishingIn()
    await Promise.all([
      publisher.publish(event('1')),
      publisher.publish([event('2'), event('3')], { transaction: tx }),
      publisher.publish(event('4'), { transaction: tx }),
      publisher.publish(event('5')),
    ])
    expect(calls).toEqual([
      { ids: ['2', '3'], transaction: tx },
      { ids: ['4'], transaction: tx },
      { ids: ['1', '5'], transaction: undefined },
    ])
  })

  test('no events are no call', async () => {
    const { publisher } = publishingIn()
    await publisher.publish([], { transaction: tx })
    expect(calls).toEqual([])
  })

  test('one that is too large keeps all of its call from being sent: the transaction is as it was', async () => {
    const { publisher, failures } = publishingIn()
    const sent = publisher.publish([event('1'), event('2', 'x'.repeat(1_000))], { transaction: tx })
    await expect(sent).rejects.toMatchObject({
      name: 'PublishError',
      code: 'EVENT_TOO_LARGE',
      results: ['rejected', 'rejected'],
      retryable: false,
    })
    await publisher.drain()
    expect(calls).toEqual([])
    expect(failures).toHaveLength(1)
  })

  test('what goes wrong is a PublishError, of unknown outcome unless the transport says better', async () => {
    const { publisher } = publishingIn(() => Promise.reject(new Error('down')))
    await expect(publisher.publish(event('1'), { transaction: tx })).rejects.toMatchObject({
      name: 'PublishError',
      code: 'PUBLISH_FAILED',
      results: ['unknown'],
    })
    const { publisher: knowing } = publishingIn(() =>
      Promise.reject(new PublishError('no', { results: ['rejected'], retryable: false, code: 'STORE_FULL' })),
    )
    await expect(knowing.publish(event('1'), { transaction: tx })).rejects.toMatchObject({
      name: 'PublishError',
      code: 'STORE_FULL',
      results: ['rejected'],
    })
  })

  test('a transport without transactions says so before anything is sent', async () => {
    const sent: unknown[] = []
    const transport = faultyTransport({ publish: async (_call, events) => void sent.push(...events) })
    const publisher = new EventPublisher({ transport: async () => transport, clock: systemClock })
    await expect(publisher.publish(event('1'), { transaction: tx })).rejects.toMatchObject({
      name: 'PublishError',
      code: 'TRANSACTION_UNSUPPORTED',
      results: ['rejected'],
    })
    expect(sent).toEqual([])
  })

  test('an abort gives up waiting; before, nothing is sent', async () => {
    const { publisher } = publishingIn(never)
    const waiting = new AbortController()
    const sent = publisher.publish(event('1'), { transaction: tx, signal: waiting.signal })
    await vi.waitFor(() => expect(calls).toHaveLength(1))
    waiting.abort(new Error('enough'))
    await expect(sent).rejects.toMatchObject({ code: 'PUBLISH_ABORTED', results: ['unknown'] })
    const late = publisher.publish(event('2'), { transaction: tx, signal: waiting.signal })
    await expect(late).rejects.toMatchObject({ code: 'PUBLISH_ABORTED', results: ['rejected'] })
    await publisher.drain()
    expect(calls).toHaveLength(1)
  })

  test('giving up rejects what the transport has not answered', async () => {
    const { publisher } = publishingIn(never)
    const sent = publisher.publish(event('1'), { transaction: tx })
    await vi.waitFor(() => expect(calls).toHaveLength(1))
    publisher.giveUp()
    await expect(sent).rejects.toMatchObject({ code: 'STOPPED', results: ['unknown'] })
    await publisher.drain()
  })
})
