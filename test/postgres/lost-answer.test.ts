import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/clock/clock.ts'
import type { Received, Session, SettleResult } from '../../src/contract/transport.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { tcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts'
import { event, open, spec } from './database.ts'

/** What the session takes, as soon as the database can be reached. */
async function takeAll(session: Session, count: number): Promise<readonly Received[]> {
  const taken: Received[] = []
  const end = systemClock.monotonic() + 10_000
  while (taken.length < count && systemClock.monotonic() < end) {
    const result = await session.exchange({ settle: [], max: 10 }).catch(() => undefined)
    taken.push(...(result?.received ?? []))
    if (result?.received.length === 0) await session.ready(AbortSignal.timeout(100))
  }
  return taken
}

await describeWithPrivateServer('postgres', (server) => {
  const proxied = new URL(server.url)
  let proxy: TcpProxy
  beforeAll(async () => {
    proxy = await tcpProxy(Number(proxied.port))
    proxied.port = String(proxy.port)
  })
  afterAll(() => proxy.close())

  /** Cuts all connections while a statement of theirs waits for a lock, and lets it run then, with nobody to hear of it. */
  async function unheard<T>(run: () => Promise<T>): Promise<void> {
    const direct = new Pool({ connectionString: server.url })
    const lock = await direct.connect()
    await lock.query('BEGIN; LOCK TABLE lost.messages IN SHARE ROW EXCLUSIVE MODE')
    const result = run().then(
      () => 'answered',
      () => 'unanswered',
    )
    const waiting = `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'lost.messages'::regclass`
    await expect.poll(async () => (await direct.query(waiting)).rowCount).toBeGreaterThan(0)
    proxy.cut()
    expect(await result).toBe('unanswered')
    await lock.query('COMMIT')
    lock.release()
    await expect.poll(async () => (await direct.query(waiting)).rowCount).toBe(0)
    await direct.end()
    proxy.resume()
  }

  async function opened(): Promise<Session> {
    const transport = open(proxied.href, 'lost')
    const queue = `q${Math.random()}`
    await transport.declare([spec(queue, { order: true, subscriptions: [{ topic: queue, pattern: '*' }] })])
    await transport.publish(Array.from({ length: 10 }, (_, i) => event(i, { topic: queue, key: 'a' })))
    const handlers = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
    return transport.open(queue, { lease: 60_000, order: true, clock: systemClock, ...handlers })
  }

  test('what a claim took whose answer was lost comes at once, in its order, and counts no attempt', async () => {
    const session = await opened()
    await session.exchange({ settle: [], max: 0 })
    await unheard(() => session.exchange({ settle: [], max: 5 }))
    const taken = await takeAll(session, 10)
    expect(taken.map(({ data }) => Number(data))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(new Set(taken.map(({ attempt, lapsed }) => `${attempt} ${lapsed}`))).toEqual(new Set(['1 false']))
  })

  test('a retry whose answer was lost is done when it is sent again, and counts once', async () => {
    const session = await opened()
    const { received } = await session.exchange({ settle: [], max: 1 })
    const settle = [{ of: received[0]!, as: 'retry' as const }]
    await unheard(() => session.settle(settle))
    let results: readonly SettleResult[] | undefined = ['lost']
    await expect
      .poll(async () => (results = await session.settle(settle).catch(() => ['lost'] as const)), {
        timeout: 10_000,
      })
      .toBe(undefined)
    expect(results).toBe(undefined)
    const taken = await takeAll(session, 10)
    expect(taken.find(({ id }) => id === received[0]!.id)?.attempt).toBe(2)
  })
})
