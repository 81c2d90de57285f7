import { expect, test } from 'vitest'
import { memory } from '../src/adapters/memory/index.ts'
import { createEvent, millrace } from '../src/index.ts'
import { faultyTransport } from './faulty-transport.ts'

test('while one batch is settled and the next is fetched, another is handled', async () => {
  const disk = Promise.withResolvers<void>()
  let waiting = 0
  const transport = faultyTransport(
    {},
    {
      exchange: async (call, request) => {
        const result = await call(request)
        if (request.settle.length === 0) return result
        waiting++
        await disk.promise
        return result
      },
    },
  )
  const app = millrace({ transport, logger: false })
  let handled = 0
  app.queue('q', { prefetch: 512 }).on('a.b', () => void handled++)
  await app.publish(Array.from({ length: 2_000 }, (_, n) => createEvent('a.b', n)))
  await app.start()
  // The first 16 show how large events are, and are on their way to be settled; a batch of the memory transport is 256.
  await expect.poll(() => [handled, waiting], { interval: 1 }).toEqual([16 + 256, 1])
  disk.resolve()
  await expect.poll(() => handled).toBe(2_000)
  await app.stop()
})

test('a backlog of quick work does not keep the rest of the process from its turn', async () => {
  const app = millrace({ transport: memory(), logger: false })
  const count = { handled: 0 }
  app.queue('q').on('a.b', () => void count.handled++)
  await app.publish(Array.from({ length: 20_000 }, (_, n) => createEvent('a.b', n)))
  await app.start()
  let most = 0
  while (count.handled < 20_000) {
    const before = count.handled
    await new Promise(setImmediate)
    most = Math.max(most, count.handled - before)
  }
  await app.stop()
  // Batches of 256: one from the end of the last turn, one ahead of the end of this one, and what was held.
  expect(most).toBeLessThanOrEqual(4 * 256)
})
