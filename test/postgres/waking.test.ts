import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { PostgresOptions } from '../../src/adapters/postgres/index.ts'
import { constant, millrace, type QueueOptions, type Transport } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { signal } from '../signals.ts'
import { event, handOn, newSchema, open, sessionOn, spec } from './database.ts'

/* Whatever is missed is found three seconds later where only notifications wake, and in an hour where only the interval does. */

const ways: Readonly<Record<string, PostgresOptions>> = {
  'is only notified': { wake: 'notify', pollInterval: '1h' },
  'only looks': { wake: 'interval', pollInterval: '1h' },
  'does both': { wake: 'both', pollInterval: '1h' },
}

/** What a client of `pg` calls with its answer. */
type Done = (error: Error | null, result: unknown) => void

await describeWithServer('postgres', (url) => {
  /** Starts a consumer of the queue `q`, and gives what it has handled: the attempts, by what the events say. */
  async function started(
    transport: Transport,
    options: QueueOptions,
    handle: (data: unknown, attempt: number) => unknown = () => undefined,
  ): Promise<Map<unknown, number>> {
    const app = millrace({ transport, logger: false })
    const handled = new Map<unknown, number>()
    app.queue('q', options).on('order.placed', async ({ data }, { attempt }) => {
      await handle(data, attempt)
      handled.set(data, attempt)
    })
    await app.start()
    onTestFinished(() => app.stop({ timeout: 0 }))
    return handled
  }

  describe.each(Object.entries(ways))('a consumer that %s', (_way, options) => {
    test('takes at once what was there before it', async () => {
      const schema = newSchema()
      const publisher = open(url, schema)
      await publisher.declare([spec('q')])
      await publisher.publish([event(1), event(2), event(3)])
      const handled = await started(open(url, schema, options), {})
      await expect.poll(() => handled.size, { timeout: 2_500 }).toBe(3)
    })

    test('takes a retry when it is due, though nothing else comes', { timeout: 30_000 }, async () => {
      const transport = open(url, newSchema(), options)
      await transport.declare([spec('q')])
      await transport.publish([event(1)])
      const handled = await started(transport, { retry: { backoff: constant(300) } }, (_data, attempt) => {
        if (attempt < 8) throw new Error('not yet')
      })
      // Seven waits: 2.1 s, or seven times three seconds.
      await expect.poll(() => handled.get(1), { timeout: 10_000 }).toBe(8)
    })

    test('takes what has come while its one handler ran as soon as that has ended', async () => {
      const schema = newSchema()
      const [transport, other] = [open(url, schema, options), open(url, schema)]
      await transport.declare([spec('q')])
      await other.publish([event(0)])
      const handled = await started(transport, { concurrency: 1, prefetch: 1 }, async (data) => {
        if (Number(data) < 30) await other.publish([event(Number(data) + 1)])
      })
      await expect.poll(() => handled.size, { timeout: 12_000 }).toBe(31)
    })
  })

  test('what comes between the last look of a consumer and the answer to it wakes it', async () => {
    const pool = new Pool({ connectionString: url })
    onTestFinished(() => pool.end())
    const [asked, answered] = [signal(), signal()]
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (statement: { text: string }, done?: Done) => unknown
      const held = (statement: { text: string }, done?: Done): unknown => {
        if (done === undefined || !statement.text.includes('pg_current_snapshot'))
          return query(statement, done)
        return query(statement, async (...answer) => {
          asked.give()
          await answered.come
          done(...answer)
        })
      }
      Object.assign(client, { query: held })
    })
    const transport = open(url, newSchema(), { pool, wake: 'interval', pollInterval: '1h' })
    await transport.declare([spec('q')])
    const session = await sessionOn(transport, 'q')
    const looking = session.exchange({ settle: [], max: 1 })
    await asked.come
    await transport.publish([event(1)])
    answered.give()
    expect((await looking).received).toEqual([])
    const late = AbortSignal.timeout(5_000)
    await session.ready(late)
    expect(late.aborted, 'nothing woke it').toBe(false)
    expect((await session.exchange({ settle: [], max: 1 })).received).toHaveLength(1)
  })

  test('a consumer that only looks needs no connection that listens, and sees what others publish when it looks', async () => {
    const schema = newSchema()
    const name = newSchema()
    const [looking, other] = [
      open(`${url}?application_name=${name}`, schema, { wake: 'interval', pollInterval: '100ms' }),
      open(url, schema),
    ]
    await looking.declare([spec('q')])
    const handled = await started(looking, {})
    await other.publish([event(1)])
    await expect.poll(() => handled.size, { timeout: 5_000 }).toBe(1)
    const listening = `SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'`
    expect(await handOn(url).query(listening, [name])).toEqual([])
  })
})
