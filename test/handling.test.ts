import * as v from 'valibot'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Transport } from '../src/contract/transport.ts'
import { encodeEvent } from '../src/event/outgoing.ts'
import {
  constant,
  createEvent,
  defineEvents,
  millrace,
  MillraceError,
  type App,
  type DeadLetter,
  type MillraceEvent,
  type QueueOptions,
} from '../src/index.ts'
import { faultyTransport, never, type SessionFaults } from './faulty-transport.ts'
import { lines, signal, turns } from './signals.ts'

/* What becomes of events whose handling goes wrong, end to end on the memory transport. */

const open: App[] = []
afterEach(() => Promise.all(open.splice(0).map((app) => app.stop({ timeout: 0 }))))

function running(session: SessionFaults = {}) {
  const said = lines()
  const transport = faultyTransport({}, session)
  const app = millrace({ transport, logger: said.logger })
  open.push(app)
  const dead = signal<DeadLetter>()
  app.onDeadLetter(dead.give)
  return { app, transport, dead: dead.come, ...said }
}

const quick: QueueOptions = { retry: { attempts: 2, backoff: constant(0) } }

test('next() that is not awaited: the event is settled after the handler, and it is said once', async () => {
  const { app, log } = running()
  const started = signal()
  const end = signal()
  app
    .queue('q')
    .use(async (_event, _ctx, next) => void next())
    .on('a.b', async () => {
      started.give()
      await end.come
    })
  await app.start()
  await app.publish('a.b', 1, { id: '1' })
  await started.come
  await turns(10)
  expect(await app.queues()).toMatchObject([{ inFlight: 1 }])
  end.give()
  await turns(10)
  expect(await app.queues()).toMatchObject([{ depth: 0, inFlight: 0 }])
  expect(log).toEqual([
    'warn millrace q a.b 1: A middleware did not await next(); the event was settled only after it [NEXT_NOT_AWAITED]',
  ])
})

describe('maxHandling', () => {
  test('aborts the signal and counts as a failure; what the handler does afterwards counts no more', async () => {
    const { app, dead, log } = running()
    const reasons: unknown[] = []
    app.queue('q', { ...quick, maxHandling: 20, lease: 100 }).on('a.b', async (_event, ctx) => {
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
      reasons.push(ctx.signal.reason)
    })
    await app.start()
    await app.publish('a.b', 1, { id: '1' })
    expect(await dead).toMatchObject({ attempts: 2, error: { code: 'HANDLING_TIMEOUT' } })
    expect(reasons).toMatchObject([{ code: 'HANDLING_TIMEOUT' }, { code: 'HANDLING_TIMEOUT' }])
    expect(log).toEqual([
      'warn millrace q a.b 1: attempt 1 failed: The handler ran longer than maxHandling (20 ms) [HANDLING_TIMEOUT]; next try now',
      'error millrace q a.b 1: dead letter after 2 attempts: The handler ran longer than maxHandling (20 ms) [HANDLING_TIMEOUT]',
    ])
  })

  test.each(['single', 'batch'])(
    'a %s handler that never ends keeps neither its event nor its slot',
    async (kind) => {
      const { app, dead } = running()
      const second = signal()
      const handle = (event: MillraceEvent): unknown => (event.data === 1 ? never() : second.give())
      const queue = app.queue('q', { concurrency: 1, maxHandling: 20, lease: 100, retry: { attempts: 1 } })
      if (kind === 'single') queue.on('a.b', handle)
      else
        queue.onBatch('a.b', { size: 1 }, async (events) => void (await handle(events[0] as MillraceEvent)))
      await app.start()
      await app.publish([createEvent('a.b', 1), createEvent('a.b', 2)])
      expect(await dead).toMatchObject({ error: { code: 'HANDLING_TIMEOUT' } })
      await second.come
    },
  )

  test('a handler that goes on though it was aborted is told of once, with how many there are', async () => {
    const { app } = running()
    const end = signal()
    const stuck: string[] = []
    const told = [signal(), signal(), signal()]
    app.onNotice(({ code, queue, type, id, message }) => {
      if (code !== 'HANDLER_STUCK') return
      stuck.push(`${queue} ${type} ${id} ${message.split(': ').at(-1)}`)
      told[stuck.length - 1]?.give()
    })
    app
      .queue('q', { concurrency: 1, maxHandling: 20, lease: 500, retry: { attempts: 1 } })
      .on('a.b', (event) => (event.id === 'third' ? never() : end.come))
    await app.start()
    await app.publish('a.b', 1, { id: 'first' })
    await told[0]?.come
    await app.publish('a.b', 1, { id: 'second' })
    await told[1]?.come
    end.give()
    await turns()
    await app.publish('a.b', 1, { id: 'third' })
    await told[2]?.come
    expect(stuck).toEqual(['q a.b first 1', 'q a.b second 2', 'q a.b third 1'])
  })

  test('is pushed back by extend', async () => {
    const { app, log } = running()
    const ended = signal<boolean>()
    app.queue('q', { maxHandling: 20 }).on('a.b', async (_event, ctx) => {
      await ctx.extend('1m')
      await new Promise((resolve) => setTimeout(resolve, 60))
      ended.give(ctx.signal.aborted)
    })
    await app.start()
    await app.publish('a.b', 1)
    expect([await ended.come, log]).toEqual([false, []])
  })

  test('does not count the time that an event waits in its batch, or for a slot', async () => {
    const { app, log } = running()
    const handled: unknown[] = []
    const all = signal()
    app
      .queue('q', { concurrency: 1, maxHandling: 60 })
      .onBatch('a.b', { size: 2, wait: 80 }, async (events) => {
        await new Promise((resolve) => setTimeout(resolve, 40))
        if (handled.push(...events.map(({ data }) => data)) === 5) all.give()
      })
    await app.start()
    await app.publish([1, 2, 3, 4, 5].map((n) => createEvent('a.b', n)))
    await all.come
    expect([handled, log]).toEqual([[1, 2, 3, 4, 5], []])
  })
})

test('an event loop that is blocked for longer than the lease: said, and the event comes again', async () => {
  const { app, saying } = running()
  const twice = signal()
  let runs = 0
  app.queue('q', { lease: 50 }).on('a.b', () => {
    if (++runs === 2) return twice.give()
    // What a long computation does: nobody gets a turn.
    const until = performance.now() + 120
    while (performance.now() < until);
  })
  await app.start()
  await app.publish('a.b', 1, { id: '1' })
  await twice.come
  expect(await saying('blocked')).toMatch(
    /^warn millrace q: The event loop was blocked for 1\d\d ms, .* \[LEASE_LOST\]$/,
  )
  expect(await saying('too late')).toBe(
    'warn millrace q a.b 1: was handled too late: it comes again [LEASE_LOST]',
  )
  await turns(10)
  expect(await app.queues()).toMatchObject([{ depth: 0, inFlight: 0, dead: 0 }])
})

describe('types without a handler', () => {
  const unhandled = async (policy: QueueOptions['unhandled'] | undefined) => {
    const made = running()
    made.app
      .queue('q', { ...quick, ...(policy && { unhandled: policy }), types: ['a.*'] })
      .on('a.b', () => undefined)
    await made.app.start()
    await made.app.publish('a.c', 1, { id: '1' })
    return made
  }

  test('are tried again, then dead letters', async () => {
    const { dead } = await unhandled(undefined)
    expect(await dead).toMatchObject({ attempts: 2, error: { code: 'NO_HANDLER' } })
  })

  test('or dead letters at once', async () => {
    const { dead } = await unhandled('dead-letter')
    expect(await dead).toMatchObject({ attempts: 1, error: { code: 'NO_HANDLER' } })
  })

  test('or skipped', async () => {
    const { app, log } = await unhandled('skip')
    await turns(10)
    expect(await app.queues()).toMatchObject([{ depth: 0, inFlight: 0, dead: 0 }])
    expect(log).toEqual([])
  })
})

test('types, topics and from decide what reaches a queue', async () => {
  const { app } = running()
  const seen: string[] = []
  const all = signal()
  const see =
    (queue: string) =>
    (event: MillraceEvent): void => {
      if (seen.push(`${queue} ${event.type}`) === 4) all.give()
    }
  await app.publish('old.one', 1)
  app.queue('beginning', { from: 'beginning' }).on('old.*', see('beginning'))
  app.queue('types', { types: ['a.b'] }).on('*', see('types'))
  app.queue('topics', { topics: ['b'] }).on('*', see('topics'))
  app.queue('now').on('old.*', see('now'))
  await app.start()
  await app.publish([createEvent('a.b', 1), createEvent('a.c', 1), createEvent('b.x', 1)])
  await app.publish(createEvent('b', 1))
  await all.come
  await turns(10)
  expect(seen.toSorted()).toEqual(['beginning old.one', 'topics b', 'topics b.x', 'types a.b'])
})

describe('what cannot be decoded', () => {
  test('attributes: a dead letter with the raw data', async () => {
    const { app, dead } = running({
      async exchange(call, request) {
        const result = await call(request)
        for (const received of result.received)
          Object.defineProperty(received, 'head', {
            get: () => {
              throw new MillraceError('DECODE_FAILED', 'The stored attributes are not JSON')
            },
          })
        return result
      },
    })
    app.queue('q').on('a.b', () => expect.unreachable())
    await app.start()
    await app.publish('a.b', { n: 1 }, { id: '1' })
    const letter = await dead
    expect(letter).toMatchObject({ id: '1', attempts: 1, error: { code: 'DECODE_FAILED' } })
    expect([letter.event, Buffer.from(letter.raw).toString()]).toEqual([undefined, '{"n":1}'])
  })

  test('data: a dead letter once somebody looks, with what came', async () => {
    const { app, transport, dead } = running()
    app.queue('q').on('a.b', (event) => String(event.data))
    await app.start()
    await transport.publish([{ ...encodeEvent(createEvent('a.b', 1)), data: Uint8Array.of(0x22, 0xff) }])
    const letter = await dead
    expect(letter).toMatchObject({
      attempts: 1,
      error: { code: 'DECODE_FAILED' },
      raw: Uint8Array.of(0x22, 0xff),
    })
    expect(letter.event?.type).toBe('a.b')
  })
})

describe('with a catalog', () => {
  const events = defineEvents({
    'order.placed': z.object({ n: z.number() }),
    // Not zod: its Standard Schema tries every check without waiting first, and drops the promise of that.
    'order.checked': v.pipeAsync(
      v.object({ n: v.number() }),
      v.checkAsync(async ({ n }) => {
        if (n === 0) throw new Error('the credit service is down')
        return n < 100
      }),
    ),
  })
  const checked = (attempts: number) => {
    const transport: Transport<never> = faultyTransport() as Transport<never>
    const app = millrace({ transport, events, logger: false })
    const foreign = millrace({ transport, logger: false })
    open.push(app as unknown as App)
    const dead = signal<DeadLetter>()
    app.onDeadLetter(dead.give)
    return { app, foreign, dead: dead.come, options: { retry: { attempts, backoff: constant(0) } } }
  }

  test('data that a handler publishes and that does not fit is no fault of its own event', async () => {
    const { app, dead, options } = checked(2)
    app.queue('q', options).on('order.checked', async (_event, ctx) => {
      await ctx.publish('order.placed', { n: 'x' as unknown as number })
    })
    await app.start()
    await app.publish('order.checked', { n: 1 })
    expect(await dead).toMatchObject({ attempts: 2, error: { code: 'DATA_INVALID' } })
  })

  test('data that an asynchronous schema refuses is a dead letter at once', async () => {
    const { app, foreign, dead, options } = checked(5)
    app.queue('q', options).on('order.checked', () => expect.unreachable())
    await app.start()
    await foreign.publish('order.checked', { n: 100 })
    expect(await dead).toMatchObject({ attempts: 1, error: { code: 'DATA_INVALID' } })
  })

  test('a schema that fails for another reason is tried again', async () => {
    const { app, foreign, dead, options } = checked(3)
    app.queue('q', options).on('order.checked', () => expect.unreachable())
    await app.start()
    await foreign.publish('order.checked', { n: 0 })
    expect(await dead).toMatchObject({ attempts: 3, error: { message: 'the credit service is down' } })
  })

  test('a type it does not know is tried again: a newer version may know it', async () => {
    const { app, foreign, dead, options } = checked(2)
    app.queue('q', options).on('*', () => expect.unreachable())
    await app.start()
    await foreign.publish('order.unheard', {})
    expect(await dead).toMatchObject({ attempts: 2, error: { code: 'UNKNOWN_TYPE' } })
  })
})

describe('lineage', () => {
  test('of what a handler publishes, ready-made events and plain objects too', async () => {
    const { app } = running()
    const seen = new Map<unknown, MillraceEvent>()
    const all = signal()
    app.queue('q').on('a.b', async (event, ctx) => {
      const { publish } = ctx
      await publish('c.d', 'typed')
      await publish(createEvent('c.d', 'made'))
      await publish([{ ...createEvent('c.d', 'plain') } as unknown as MillraceEvent])
      await publish(createEvent('c.d', 'own', { correlationId: 'mine' }))
      await publish('c.d', 'keyed', { idempotencyKey: 'k' })
      await publish('c.d', 'keyed again', { idempotencyKey: 'k' })
      await publish(event.with({ type: 'c.d', topic: 'c', data: 'passed on' }))
    })
    app.queue('other').on('c.d', (event) => void (seen.set(event.data, event).size === 7 && all.give()))
    await app.start()
    await app.publish('a.b', 1, { id: 'parent', correlationId: 'process' })
    await all.come
    const lineage = (name: string): unknown[] => [seen.get(name)?.correlationId, seen.get(name)?.causationId]
    for (const name of ['typed', 'made', 'plain', 'keyed'])
      expect(lineage(name)).toEqual(['process', 'parent'])
    expect(lineage('own')).toEqual(['mine', 'parent'])
    expect(lineage('passed on')).toEqual(['process', undefined])
    expect(seen.get('keyed')?.id).toBe(seen.get('keyed again')?.id)
    expect(seen.get('keyed')?.id).not.toBe(seen.get('typed')?.id)
  })
})

test('a dead process: its batch event comes alone though all slots are taken for long', async () => {
  const { app, transport } = running()
  const busy = signal()
  const lone = signal<number>()
  const end = signal()
  app.queue('q', { concurrency: 1, lease: 50, prefetch: 10 }).onBatch('a.b', { size: 1 }, async (events) => {
    if (events[0]?.data === 'lapsed') return lone.give(events.length)
    busy.give()
    await end.come
  })
  await app.publish('a.b', 'lapsed')
  // Another process that takes the event and is never heard of again.
  const gone = await transport.open('q', {
    lease: 30,
    order: false,
    clock: (await import('../src/clock/clock.ts')).systemClock,
    notice: () => undefined,
    onRevoke: () => undefined,
    onLost: () => undefined,
  })
  await gone.exchange({ settle: [], max: 1 })
  await app.publish('a.b', 'busy')
  await app.start()
  await busy.come
  expect(await lone.come).toBe(1)
  end.give()
}, 10_000)
