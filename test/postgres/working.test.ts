import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { constant, linear, millrace, type App, type QueueOptions, type Transport } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { signal, turns } from '../signals.ts'
import { event, handOn, newSchema, open, spec } from './database.ts'

const hour = 3_600_000

await describeWithServer('postgres', (url) => {
  /** An app with one handler of the queue `q`, which is there already. */
  async function started(
    transport: Transport,
    options: QueueOptions,
    handler: Parameters<ReturnType<App['queue']>['on']>[1],
  ): Promise<App> {
    const app = millrace({ transport, logger: false })
    app.queue('q', options).on('order.placed', handler)
    await app.start()
    onTestFinished(() => app.stop({ timeout: 0 }))
    return app
  }

  test('as many handlers run at a time as the queue may have, and no more', async () => {
    const transport = open(url, newSchema())
    await transport.declare([spec('q')])
    await transport.publish(Array.from({ length: 12 }, (_, n) => event(n)))
    const running = new Set<() => void>()
    const counts: number[] = []
    await started(transport, { concurrency: 3 }, async () => {
      const end = signal()
      running.add(end.give)
      counts.push(running.size)
      await end.come
      running.delete(end.give)
    })
    for (let handled = 0; handled < 12; handled += 3) {
      await expect.poll(() => running.size, { timeout: 5_000 }).toBe(3)
      await turns(20)
      for (const end of running) end()
    }
    await expect.poll(() => counts.length).toBe(12)
    expect(Math.max(...counts)).toBe(3)
  })

  test('with a single worker, an event that cannot be read is a dead letter at once, and those behind it are handled', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    await transport.publish(['spoiled', 'a', 'b', 'c'].map((id) => event(id, { id })))
    await handOn(url).query(`UPDATE ${schema}.messages SET head = '{' WHERE id = 'spoiled'`)
    const handled: string[] = []
    const app = await started(transport, { concurrency: 1, prefetch: 1 }, ({ id }) => void handled.push(id))
    await expect.poll(() => handled, { timeout: 5_000 }).toEqual(['a', 'b', 'c'])
    expect(await app.deadLetters('q').get('spoiled')).toMatchObject({
      error: { code: 'DECODE_FAILED' },
      attempts: 1,
    })
  })

  test.each<[string, () => unknown, string]>([
    [
      'throws before its first await',
      () => {
        throw new Error('at once')
      },
      'at once',
    ],
    [
      'throws nothing',
      () => {
        throw undefined
      },
      'undefined',
    ],
    ['gives back what rejects', () => Promise.reject(new Error('rejected')), 'rejected'],
  ])('a handler that %s has failed, and the worker goes on', async (_how, fail, message) => {
    const transport = open(url, newSchema())
    await transport.declare([spec('q')])
    await transport.publish([event('bad', { id: 'bad' }), event('good')])
    const runs: unknown[] = []
    const retry = { attempts: 2, backoff: constant(0) }
    const app = await started(transport, { concurrency: 1, retry }, ({ data }) => {
      runs.push(data)
      return data === 'bad' ? fail() : undefined
    })
    const letter = async (): Promise<unknown> => await app.deadLetters('q').get('bad')
    await expect.poll(letter, { timeout: 5_000 }).toMatchObject({ attempts: 2, error: { message } })
    expect(runs.toSorted()).toEqual(['bad', 'bad', 'good'])
  })

  describe('while handlers run', () => {
    /** The connections of the transport that are in a transaction. */
    async function inTransactions(options: QueueOptions): Promise<number> {
      const name = newSchema()
      const transport = open(`${url}?application_name=${name}`, name, { max: 6 })
      await transport.declare([spec('q')])
      await transport.publish([1, 2, 3, 4].map((n) => event(n)))
      const end = signal()
      let running = 0
      await started(transport, { concurrency: 4, ...options }, async () => {
        running++
        await end.come
      })
      await expect.poll(() => running, { timeout: 5_000 }).toBe(4)
      const states = `SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE application_name = $1 AND state LIKE 'idle in transaction%'`
      const [found] = await handOn(url).query<{ count: number }>(states, [name])
      end.give()
      return found!.count
    }

    test('no connection is kept in a transaction', async () => {
      expect(await inTransactions({})).toBe(0)
    })

    test('one for each is, where that was asked for', async () => {
      expect(await inTransactions({ transactional: true })).toBe(4)
    })
  })

  describe('backoff', () => {
    /** How long each retry was made to wait, as the database wrote it down, by its own clock. */
    async function waits(attempts: number): Promise<readonly number[]> {
      const schema = newSchema()
      const transport = open(url, schema)
      const hand = handOn(url)
      await transport.declare([spec('q')])
      await hand.query(`
        CREATE TABLE ${schema}.waits (n serial, ms float8);
        CREATE FUNCTION ${schema}.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO ${schema}.waits (ms) VALUES (extract(epoch FROM NEW.due - statement_timestamp()) * 1000);
          RETURN NULL;
        END $$;
        CREATE TRIGGER note AFTER UPDATE ON ${schema}.messages FOR EACH ROW
          WHEN (NEW.failures > OLD.failures) EXECUTE FUNCTION ${schema}.note()`)
      await transport.publish([event(1, { id: 'e' })])
      const early: unknown[] = []
      const now = `SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now`
      let due = 0
      const planned = linear({ start: 200, step: 100 })
      const retry = { attempts, backoff: planned }
      const app = await started(transport, { retry }, async (_event, { attempt }) => {
        const at = Number((await hand.query<{ now: number }>(now))[0]!.now)
        if (at < due) early.push(attempt)
        due = at + planned(attempt)
        throw new Error('never')
      })
      const letter = async (): Promise<unknown> => await app.deadLetters('q').get('e')
      await expect.poll(letter, { timeout: 10_000 }).toMatchObject({ attempts })
      expect(early, 'attempts that came too early').toEqual([])
      const rows = await hand.query<{ ms: number }>(`SELECT ms FROM ${schema}.waits ORDER BY n`)
      return rows.map(({ ms }) => ms)
    }

    test('each retry waits as long as planned, within 10 ms', async () => {
      const found = await waits(4)
      expect(found).toHaveLength(3)
      for (const [i, ms] of [200, 300, 400].entries()) expect(Math.abs(found[i]! - ms)).toBeLessThan(10)
    })

    test('what has failed as often as it may waits no more, and is a dead letter', async () => {
      expect(await waits(1)).toEqual([])
      expect((await waits(3)).map(Math.round)).toEqual([200, 300])
    })
  })

  describe('the clock of the consumer does not matter', () => {
    afterEach(() => void vi.useRealTimers())

    test.each([hour, -hour])('if it is wrong by %s ms', async (wrong) => {
      const transport = open(url, newSchema())
      const hand = handOn(url)
      const now = async (): Promise<number> => {
        const [row] = await hand.query<{ now: string }>(
          `SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now`,
        )
        return Number(row!.now)
      }
      await transport.declare([spec('q')])
      const due = Math.ceil(await now()) + 700
      await transport.publish([event('delayed', { deliverAt: new Date(due) }), event('retried')])
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + wrong })
      const at = new Map<unknown, number[]>()
      await started(transport, { retry: { backoff: constant(500) } }, async ({ data }, { attempt }) => {
        at.set(data, [...(at.get(data) ?? []), await now()])
        if (data === 'retried' && attempt === 1) throw new Error('once')
      })
      const runs = (): unknown => [at.get('delayed')?.length, at.get('retried')?.length]
      await expect.poll(runs, { timeout: 10_000 }).toEqual([1, 2])
      expect(at.get('delayed')![0]).toBeGreaterThanOrEqual(due)
      const [first, second] = at.get('retried')!
      expect(second! - first!).toBeGreaterThanOrEqual(500)
    })
  })
})
