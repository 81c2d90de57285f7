import { expect, test } from 'vitest'
import { lines, signal } from '../../test/signals.ts'
import type { Delivery } from '../contract/delivery.ts'
import { createEvent, millrace, type App, type QueueOptions } from '../index.ts'

/* How long a handler may have an event that somebody brought. Nothing is started, so nothing has to be stopped. */

function shop(options: QueueOptions): { app: App; log: string[]; queue: ReturnType<App['queue']> } {
  const { log, logger } = lines()
  const app = millrace({ transport: 'memory:', logger })
  return { app, log, queue: app.queue('q', options) }
}

/** Brings an event, and says how it was settled. */
async function bring(app: App): Promise<unknown> {
  let settled: unknown
  const delivery: Delivery = {
    event: createEvent('a.b', 1, { id: '1' }),
    queue: 'q',
    attempt: 1,
    ack: async () => void (settled = 'ack'),
    retry: async ({ error } = {}) => void (settled = error),
    deadLetter: async (error) => void (settled = error),
    extend: async () => undefined,
    settle: () => expect.unreachable(),
  }
  await app.receiver.deliver(delivery)
  return settled
}

test.each(['single', 'batch'])(
  'a %s handler that never ends is told of, and the event is settled without it',
  async (kind) => {
    const { app, log, queue } = shop({ concurrency: 1, maxHandling: 20, lease: 100 })
    const end = signal()
    if (kind === 'single') queue.on('a.b', () => end.come)
    else queue.onBatch('a.b', { size: 1 }, () => end.come)
    // The second one shows that the slot of the batch is free again.
    for (let n = 0; n < 2; n++) expect(await bring(app)).toMatchObject({ code: 'HANDLING_TIMEOUT' })
    const stuck = expect.stringMatching(/^warn millrace q a\.b 1: its handler goes on .*\[HANDLER_STUCK\]$/)
    const failed = expect.stringContaining(
      'attempt 1 failed: The handler ran longer than maxHandling (20 ms)',
    )
    expect(log).toEqual([stuck, failed, stuck, failed])
    end.give()
  },
)

test('a handler that ends soon after its signal was aborted is not told of', async () => {
  const { app, log, queue } = shop({ maxHandling: 20, lease: '1m' })
  queue.on('a.b', (_event, ctx) => new Promise((end) => ctx.signal.addEventListener('abort', end)))
  expect(await bring(app)).toMatchObject({ code: 'HANDLING_TIMEOUT' })
  expect(log).toEqual([expect.stringContaining('attempt 1 failed')])
})

test('extend pushes maxHandling back', async () => {
  const { app, log, queue } = shop({ maxHandling: 20 })
  const aborted: boolean[] = []
  queue.on('a.b', async (_event, ctx) => {
    await ctx.extend('1m')
    await new Promise((resolve) => setTimeout(resolve, 60))
    aborted.push(ctx.signal.aborted)
  })
  expect([await bring(app), aborted, log]).toEqual(['ack', [false], []])
})
