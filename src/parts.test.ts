import { expect, test, vi } from 'vitest'
import { faultyTransport, never } from '../test/faulty-transport.ts'
import { signal, turns } from '../test/signals.ts'
import { memory } from './adapters/memory/index.ts'
import { createEvent, createPublisher, createReceiver } from './index.ts'

test('a publisher and a receiver on one transport, which neither of them closes', async () => {
  const transport = memory()
  const handled = signal<unknown>()
  await using receiver = createReceiver({ transport, logger: false })
  receiver.on('q', 'a.*', (event) => handled.give([event.source, event.data]))
  await receiver.start()
  await using publisher = createPublisher({ transport, source: '/shop' })
  await publisher.publish('a.b', 7)
  expect(await handled.come).toEqual(['/shop', 7])
  await receiver.stop()
  await publisher.publish(createEvent('a.b', 8))
  expect(await transport.admin.queues()).toMatchObject([{ name: 'q', depth: 1 }])
})

test('a receiver that was given a URL is whole by itself', async () => {
  const receiver = createReceiver({ transport: 'memory:', logger: false })
  const handled = signal()
  receiver.on('q', '*', () => handled.give())
  await receiver.start()
  await receiver.stop()
  await expect(receiver.start()).rejects.toMatchObject({ code: 'STOPPED' })
  expect(() => createReceiver({ transport: 'nope:' })).toThrowError(
    expect.objectContaining({ code: 'UNKNOWN_TRANSPORT' }),
  )
})

test('a receiver stops in time though what its handlers published never arrives, which they are told', async () => {
  let stuck = false
  const transport = faultyTransport({
    publish: (call, events, options) => (stuck ? never() : call(events, options)),
  })
  const receiver = createReceiver({ transport, logger: false })
  const published = signal<unknown>()
  const started = signal()
  receiver.on('q', 'a.b', (_event, ctx) => {
    stuck = true
    void ctx.publish('c.d', 1).catch(published.give)
    started.give()
  })
  await receiver.start()
  await createPublisher({ transport }).publish('a.b', 1)
  await started.come
  await turns()
  const began = performance.now()
  await receiver.stop({ timeout: 20 })
  expect(performance.now() - began).toBeLessThan(2_020)
  expect(await published.come).toMatchObject({ code: 'STOPPED', results: ['unknown'] })
})

test('a failure hook of a publisher that throws is said on stderr', async () => {
  const stderr = vi.spyOn(console, 'error').mockReturnValue()
  const publisher = createPublisher({
    transport: faultyTransport({ publish: () => Promise.reject(new Error('down')) }),
  })
  publisher.onDeliveryFailure(() => {
    throw new Error('my bug')
  })
  await expect(publisher.publish('a.b', 1)).rejects.toThrow('down')
  await publisher.drain()
  expect(stderr.mock.calls).toEqual([
    ['millrace A function given to onDeliveryFailure threw: my bug [HOOK_FAILED]'],
  ])
  stderr.mockRestore()
})
