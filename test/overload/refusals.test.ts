import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { createEvent, millrace } from '../../src/index.ts'
import { signal, turns } from '../signals.ts'

/* A producer that never waits, on the real transports. */

const folder = mkdtempSync(join(tmpdir(), 'millrace-overload-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.each([
  ['memory', () => memory()],
  ['sqlite', () => sqlite(join(mkdtempSync(join(folder, 'x')), 'events.db'))],
])('on %s', (_name, open) => {
  test('what is refused is not there, what is taken is, and the ingress tells its senders to come again', async () => {
    await using app = millrace({ transport: open(), logger: false, http: { verify: () => true } })
    app.queue('orders').on('order.placed', () => undefined)
    await app.queues() // declares the queue; nothing is consumed
    const many = Array.from({ length: 100_000 }, (_, i) => createEvent('order.placed', i))
    const waiting = app.publish(many)
    const [refused] = await Promise.allSettled([app.publish('order.placed', 'refused')])
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'PUBLISH_OVERLOADED' } })
    const post = (body: string | ReadableStream): Promise<Response> => {
      const headers = { 'content-type': 'application/cloudevents+json' }
      return app.fetch(
        new Request('http://x/', { method: 'POST', headers, body, duplex: 'half' } as RequestInit),
      )
    }
    // Before it is read, as reading is what costs.
    const answer = await post(new ReadableStream({ pull: () => new Promise(() => {}) }))
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    await waiting
    const event = { specversion: '1.0', id: '1', source: '/s', type: 'order.placed' }
    expect((await post(JSON.stringify(event))).status).toBe(202)
    expect(await app.queues()).toMatchObject([{ name: 'orders', depth: 100_001 }])
  }, 60_000)

  test('large events are taken ahead by their bytes, whatever the prefetch', async () => {
    await using app = millrace({ transport: open(), logger: false })
    const started = signal()
    const end = signal()
    const done = signal()
    let handled = 0
    app.queue('files', { concurrency: 2, prefetch: 30, lease: '10m' }).on('file.sent', async () => {
      started.give()
      await end.come
      if (++handled === 30) done.give()
    })
    await app.queues()
    for (let i = 0; i < 30; i++) await app.publish('file.sent', Buffer.alloc(4 * 2 ** 20))
    await app.start()
    await started.come
    await turns(50)
    const [files] = await app.queues()
    expect(files?.inFlight).toBeGreaterThanOrEqual(2)
    expect(files?.inFlight).toBeLessThanOrEqual(8)
    end.give()
    await done.come
  }, 60_000)
})
