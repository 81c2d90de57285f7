import { expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../src/adapters/postgres/index.ts'
import { createEvent, millrace, type App } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { tcpProxy } from '../servers/tcp-proxy.ts'
import { signal } from '../signals.ts'
import { handOn, newSchema, open } from './database.ts'

await describeWithServer('postgres', (url) => {
  const consumer = (at: string, schema: string, order: 'none' | { by: 'key' }) => {
    const app: App = millrace({ transport: postgres({ connectionString: at, schema }), logger: false })
    onTestFinished(() => app.stop({ timeout: 0 }))
    return { app, queue: app.queue('q', { lease: '1.5s', order }) }
  }

  test.each(['none', { by: 'key' }] as const)(
    'order %j: who comes back after another has taken the event aborts its handler, and settles nothing',
    async (order) => {
      const schema = newSchema()
      const proxied = new URL(url)
      const proxy = await tcpProxy(Number(proxied.port))
      onTestFinished(() => proxy.close())
      proxied.port = String(proxy.port)
      const [begun, aborted, takenOver, over] = [signal(), signal<unknown>(), signal(), signal()]
      const first = consumer(proxied.href, schema, order)
      first.queue.on('a.b', async (_event, ctx) => {
        ctx.signal.addEventListener('abort', () => aborted.give(ctx.signal.reason))
        begun.give()
        await aborted.come
        throw new Error('too late')
      })
      await first.app.start()
      const second = consumer(url, schema, order)
      second.queue.on('a.b', async () => {
        takenOver.give()
        await over.come
      })
      await second.app.publish('a.b', 1, { key: 'k' })
      await begun.come
      proxy.cut()
      await second.app.start()
      await takenOver.come
      proxy.resume()
      expect(await aborted.come).toMatchObject({ code: 'LEASE_LOST' })
      over.give()
      await expect
        .poll(() => second.app.queues(), { timeout: 5_000 })
        .toMatchObject([{ name: 'q', depth: 0, inFlight: 0, retrying: 0, dead: 0 }])
    },
  )

  test.each([
    ['one publish at a time', 3, 1],
    ['two where the pool has room for both, and for its sessions', 6, 2],
  ])(
    'a handler keeps its lease while publishes wait for what it has published: %s',
    { timeout: 30_000 },
    async (_which, max, most) => {
      const schema = newSchema()
      const hand = handOn(url)
      const app = millrace({
        transport: open(`${url}?application_name=${schema}`, schema, { max }),
        logger: false,
      })
      onTestFinished(() => app.stop({ timeout: 0 }))
      const paid = ['first', 'second'].map((id) => createEvent('order.paid', 1, { id }))
      const [begun, end] = [signal(), signal()]
      const idle = { depth: 0, inFlight: 0 }
      let starts = 0
      app.queue('mail').on('order.paid', () => {})
      app
        .queue('billing', { transactional: true, concurrency: 1, lease: '1s' })
        .on('order.placed', async (_event, ctx) => {
          starts++
          for (const one of paid) await ctx.publish(one)
          begun.give()
          await end.come
        })
      await app.start()
      await app.publish('order.placed', 1)
      await begun.come
      const waiting = `SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`
      const published: Promise<void>[] = []
      for (const [i, one] of paid.entries()) {
        published.push(app.publish(one))
        await expect.poll(() => hand.query(waiting, [schema])).toHaveLength(Math.min(i + 1, most))
      }
      const leases = `SELECT lease::text FROM ${schema}.messages WHERE lease IS NOT NULL`
      const before = await hand.query(leases)
      expect(before).toHaveLength(1)
      await expect.poll(() => hand.query(leases), { timeout: 5_000 }).not.toEqual(before)
      end.give()
      await Promise.all(published)
      await expect.poll(() => app.queues()).toMatchObject([idle, idle])
      expect(starts).toBe(1)
    },
  )

  test('a handler whose queue is removed meanwhile hears that it is handling nothing any more', async () => {
    const schema = newSchema()
    const [begun, aborted] = [signal(), signal<unknown>()]
    const { app, queue } = consumer(url, schema, 'none')
    queue.on('a.b', async (_event, ctx) => {
      ctx.signal.addEventListener('abort', () => aborted.give(ctx.signal.reason))
      begun.give()
      await aborted.come
    })
    await app.start()
    await app.publish('a.b', 1)
    await begun.come
    await app.transport.admin.removeQueue('q')
    expect(await aborted.come).toMatchObject({ code: 'LEASE_LOST' })
  })
})
