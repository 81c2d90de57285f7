import { expect, onTestFinished, test } from 'vitest'
import { faultyTransport } from '../../test/faulty-transport.ts'
import { signal, turns } from '../../test/signals.ts'
import { millrace } from '../app.ts'
import { constant, createEvent } from '../index.ts'

test.each(['the breaker opens', 'the app stops'])(
  'nothing that waits starts when %s while a lone claim holds the gate',
  async (which) => {
    const failing = 20
    let lapsed = false
    const told = signal()
    const transport = faultyTransport(
      {},
      {
        async exchange(call, request) {
          const result = await call(request)
          if (!lapsed || (request.lapsed ?? 0) > 0) return result
          told.give()
          return { ...result, lapsed: true }
        },
      },
    )
    const app = millrace({ transport, logger: false })
    onTestFinished(() => app.stop({ timeout: 0 }))
    let starts = 0
    const over = signal()
    app.onNotice(({ code }) => code === 'BREAKER_OPEN' && over.give())
    app
      .queue('q', {
        concurrency: 1,
        prefetch: 100,
        from: 'beginning',
        retry: { backoff: constant(60_000) },
        breaker: which === 'the breaker opens',
      })
      .on('a.b', async () => {
        if (++starts < failing) throw new Error('down')
        // The next look at the queue says that something has lapsed: the engine takes the gate to claim it alone.
        lapsed = true
        await app.publish('a.b', 'one more')
        await told.come
        if (which === 'the app stops') void app.stop({ timeout: 5_000 }).then(over.give)
        throw new Error('down')
      })
    await app.publish(Array.from({ length: 40 }, (_, n) => createEvent('a.b', n)))
    await app.start()
    await over.come
    await turns()
    expect(starts).toBe(failing)
  },
)
