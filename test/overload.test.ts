import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { memory } from '../src/adapters/memory/index.ts'
import { sqlite } from '../src/adapters/sqlite/index.ts'
import { createEvent, millrace } from '../src/index.ts'

/* A producer that never waits, on the real transports. */

const folder = mkdtempSync(join(tmpdir(), 'millrace-overload-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.each([
  ['memory', () => memory()],
  ['sqlite', () => sqlite(join(folder, 'events.db'))],
])('on %s', (_name, open) => {
  test('what is refused is not there, what is taken is, and the ingress tells its senders to come again', async () => {
    await using app = millrace({ transport: open(), logger: false, http: { verify: () => true } })
    app.queue('orders').on('order.placed', () => undefined)
    await app.queues() // declares the queue; nothing is consumed
    const many = Array.from({ length: 100_000 }, (_, i) => createEvent('order.placed', i))
    const waiting = app.publish(many)
    const [refused] = await Promise.allSettled([app.publish('order.placed', 'refused')])
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'PUBLISH_OVERLOADED' } })
    const post = (): Promise<Response> =>
      app.fetch(
        new Request('http://x/', {
          method: 'POST',
          headers: { 'content-type': 'application/cloudevents+json' },
          body: JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 'order.placed' }),
        }),
      )
    const answer = await post()
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    await waiting
    expect((await post()).status).toBe(202)
    expect(await app.queues()).toMatchObject([{ name: 'orders', depth: 100_001 }])
  }, 60_000)
})
