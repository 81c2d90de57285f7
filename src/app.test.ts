import { afterEach, describe, expect, test, vi } from 'vitest'
import { faultyTransport, never, type SessionFaults, type TransportFaults } from '../test/faulty-transport.ts'
import { lines, signal, turns } from '../test/signals.ts'
import { memory } from './adapters/memory/index.ts'
import { within } from './clock/within.ts'
import type { DeadLetter } from './dead-letters.ts'
import { constant, createEvent, fatal, millrace, type App, type QueueOptions } from './index.ts'
import { encodeEvent } from './event/outgoing.ts'

const open: App[] = []
afterEach(() => Promise.all(open.splice(0).map((app) => app.stop({ timeout: 0 }).catch(() => undefined))))

function running(faults: TransportFaults = {}, session: SessionFaults = {}) {
  const said = lines()
  const transport = faultyTransport(faults, session)
  const app = millrace({ transport, logger: said.logger })
  open.push(app)
  return { app, transport, ...said }
}

const once: QueueOptions = { retry: { attempts: 1 } }

describe('opening', () => {
  test('an app opens nothing until it publishes; then its queues are declared', async () => {
    const calls: string[] = []
    const { app } = running({
      declare: (call, queues) => (
        calls.push(`declare ${queues.map(({ name }) => name).join()}`),
        call(queues)
      ),
      publish: (call, ...args) => (calls.push('publish'), call(...args)),
    })
    app.queue('q').on('a.b', () => undefined)
    await turns()
    expect(calls).toEqual([])
    await Promise.all([app.publish('a.b', 1), app.publish('a.b', 2)])
    expect(calls).toEqual(['declare q', 'publish'])
  })

  test('that fails is not remembered', async () => {
    let down = true
    const { app } = running({
      declare: (call, queues) => (down ? Promise.reject(new Error('down')) : call(queues)),
    })
    app.queue('q').on('a.b', () => undefined)
    await expect(app.publish('a.b', 1)).rejects.toMatchObject({ message: 'down', results: ['rejected'] })
    down = false
    await app.publish('a.b', 1)
    expect(await app.queues()).toMatchObject([{ name: 'q', depth: 1 }])
  })

  test('by a URL', async () => {
    await using app = millrace({ transport: 'memory:', logger: false })
    expect(app.transport.system).toBe('memory')
    expect(() => app.transport.features).toThrowError(
      expect.objectContaining({ code: 'TRANSPORT_UNREACHABLE' }),
    )
    const handled = signal<unknown>()
    app.queue('q').on('a.b', (event) => handled.give(event.data))
    await app.start()
    await app.publish('a.b', 7)
    expect(await handled.come).toBe(7)
    expect(app.transport.features.durable).toBe('memory')
  })

  test.each([
    ['nope:x', 'UNKNOWN_TRANSPORT'],
    ['nope', 'UNKNOWN_TRANSPORT'],
    ['toString:', 'UNKNOWN_TRANSPORT'],
    [{}, 'INVALID_OPTION'],
    [undefined, 'INVALID_OPTION'],
  ])('not by %j', (transport, code) => {
    expect(() => millrace({ transport: transport as string })).toThrowError(expect.objectContaining({ code }))
  })

  test('messages show no password', () => {
    expect(() => millrace({ transport: 'nope://me:hunter2@host/db' })).toThrowError(
      /nope:\/\/me:\*\*\*@host\/db/,
    )
  })

  test('a URL that failed to open can be tried again, and stopped', async () => {
    const app = millrace({ transport: 'sqlite:', logger: false })
    for (let i = 0; i < 2; i++)
      await expect(app.publish('a.b', 1)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        results: ['rejected'],
      })
    await app.stop()
  })

  test('an outbox is nothing that exists yet', () => {
    expect(() => millrace({ transport: memory(), outbox: memory() })).toThrowError(
      expect.objectContaining({ code: 'OUTBOX_UNSUPPORTED' }),
    )
  })
})

describe('stop', () => {
  test('aborting the start signal stops the whole app', async () => {
    const closed = signal()
    const { app } = running({ close: (call, options) => (closed.give(), call(options)) })
    app.queue('q').on('a.b', () => undefined)
    const abort = new AbortController()
    await app.start({ signal: abort.signal })
    abort.abort()
    await closed.come
    await expect(app.publish('a.b', 1)).rejects.toMatchObject({ code: 'STOPPED' })
  })

  test('needs no start, is idempotent, and refuses what comes after', async () => {
    const { app } = running()
    await expect(app.stop({ timeout: -1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await Promise.all([app.stop(), app.stop()])
    await expect(app.publish('a.b', 1)).rejects.toMatchObject({ code: 'STOPPED' })
    await expect(app.start()).rejects.toMatchObject({ code: 'STOPPED' })
    await expect(app.queues()).rejects.toMatchObject({ code: 'STOPPED' })
  })

  test('waits for handlers, and for what they publish', async () => {
    const { app, transport } = running({ close: async () => undefined })
    const started = signal()
    const end = signal()
    app.queue('other').on('b.c', () => expect.unreachable())
    app.queue('q').on('a.b', async (_event, ctx) => {
      started.give()
      await end.come
      void ctx.publish('b.c', 1)
    })
    await app.start()
    app.pause('other')
    await app.publish('a.b', 1)
    await started.come
    const stopping = app.stop()
    end.give()
    await stopping
    expect(await transport.admin.queues()).toMatchObject([
      { name: 'other', depth: 1 },
      { name: 'q', depth: 0, inFlight: 0 },
    ])
  })

  test('is bounded though a handler ignores its signal, whose event keeps its lease', async () => {
    const { app, transport, log } = running({ close: async () => undefined })
    const started = signal()
    app.queue('q').on('a.b', () => {
      started.give()
      return never()
    })
    await app.start()
    await app.publish('a.b', 1, { id: '1' })
    await started.come
    expect(await within(app.stop({ timeout: 50 }), 2_050)).toBe(true)
    expect(await transport.admin.queues()).toMatchObject([{ depth: 0, inFlight: 1 }])
    expect(log).toEqual([
      expect.stringMatching(
        /^warn millrace q a\.b 1: its handler goes on.*after the stop.*\[HANDLER_STUCK\]$/,
      ),
    ])
  })

  test('is bounded though an exchange never answers', async () => {
    let stuck = false
    const { app, log } = running({}, { exchange: (call, request) => (stuck ? never() : call(request)) })
    const started = signal()
    app.queue('q', { concurrency: 1 }).on('a.b', () => {
      started.give()
      stuck = true
    })
    await app.start()
    await app.publish([createEvent('a.b', 1), createEvent('a.b', 2)])
    await started.come
    expect(await within(app.stop({ timeout: 50 }), 2_050)).toBe(true)
    expect(log).toEqual([])
  })

  test('gives back what an exchange brings that was under way', async () => {
    const under = signal()
    const answer = signal()
    const settled: string[] = []
    const { app } = running(
      {},
      {
        async exchange(call, request) {
          const result = await call(request)
          if (result.received.length > 0) {
            under.give()
            await answer.come
          }
          settled.push(...request.settle.map(({ as }) => as))
          return result
        },
        settle: (call, list) => (settled.push(...list.map(({ as }) => as)), call(list)),
      },
    )
    let runs = 0
    app.queue('q').on('a.b', () => void runs++)
    await app.start()
    await app.publish('a.b', 1)
    await under.come
    const stopping = app.stop()
    await turns()
    answer.give()
    await stopping
    expect([settled, runs]).toEqual([['release'], 0])
  })

  test('is bounded with publishes pending, which are told of', async () => {
    const { app, log } = running({ publish: never })
    const failures: unknown[] = []
    app.publisher.onDeliveryFailure((failure) => failures.push(failure.error))
    const pending = app.publish('a.b', 1).catch((error: unknown) => error)
    await turns()
    expect(await within(app.stop({ timeout: 50 }), 2_050)).toBe(true)
    expect(await pending).toMatchObject({ code: 'STOPPED', results: ['unknown'] })
    expect(failures).toEqual([await pending])
    expect(log).toEqual(['error millrace Some events were not sent in time [STOPPED]'])
  })

  test.each<[string, TransportFaults]>([
    ['the transport never closes', { close: never }],
    ['the queues are never declared', { declare: never }],
  ])('is bounded though %s', async (_name, faults) => {
    const { app } = running(faults)
    app.queue('q').on('a.b', () => undefined)
    const starting = app.start().catch(() => undefined)
    if (faults.declare === undefined) await starting
    await turns()
    expect(await within(app.stop({ timeout: 50 }), 2_050)).toBe(true)
  })

  test('goes through all its steps though the transport fails to close, and says so', async () => {
    const { app } = running({ close: () => Promise.reject(new Error('cut')) })
    await app.publish('a.b', 1)
    await expect(app.stop()).rejects.toThrow('cut')
  })

  test('starts what has gathered for a batch at once', async () => {
    const { app } = running()
    const sizes: number[] = []
    app
      .queue('q')
      .use((_event, _ctx, next) => next())
      .onBatch('a.b', { size: 10, wait: '10m' }, (events) => void sizes.push(events.length))
    await app.start()
    await app.publish([createEvent('a.b', 1), createEvent('a.b', 2)])
    await turns(10)
    expect(sizes).toEqual([])
    expect(await within(app.stop(), 1_000)).toBe(true)
    expect(sizes).toEqual([2])
  })

  test('gives back a batch that found no slot, also behind a middleware that swallows errors', async () => {
    const settled: string[] = []
    const { app } = running(
      {},
      {
        exchange: (call, request) => (settled.push(...request.settle.map(({ as }) => as)), call(request)),
        settle: (call, list) => (settled.push(...list.map(({ as }) => as)), call(list)),
      },
    )
    const started = signal()
    let runs = 0
    app
      .queue('q', { concurrency: 1 })
      .use((_event, _ctx, next) => next().catch(() => undefined))
      .onBatch('a.b', { size: 1 }, async (_events, ctx) => {
        runs++
        started.give()
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
      })
    await app.start()
    await app.publish([createEvent('a.b', 1), createEvent('a.b', 2)])
    await started.come
    await turns() // until the second one stands in its batch
    await app.stop({ timeout: 50 })
    expect([runs, settled.toSorted()]).toEqual([1, ['ack', 'release']])
  })
})

describe('hooks', () => {
  test('that throw, or reject, do not hold up the events that follow', async () => {
    const { app, log } = running()
    const letters: DeadLetter[] = []
    const three = signal()
    app.onDeadLetter(() => {
      throw new Error('thrown')
    })
    app.onDeadLetter((async () => {
      throw new Error('rejected')
    }) as () => void)
    const off = app.onDeadLetter((letter) => void (letters.push(letter) === 3 && three.give()))
    app.queue('q', once).on('a.b', (event) => {
      throw new Error(`no ${String(event.data)}`)
    })
    await app.start()
    await app.publish([1, 2, 3].map((n) => createEvent('a.b', n)))
    await three.come
    await turns(10)
    expect(await app.queues()).toMatchObject([{ depth: 0, inFlight: 0, dead: 3 }])
    expect(letters.map(({ error }) => error.message)).toEqual(['no 1', 'no 2', 'no 3'])
    expect(new Set(log.filter((line) => line.includes('HOOK_FAILED')))).toEqual(
      new Set([
        'error millrace A function given to onDeadLetter threw: thrown [HOOK_FAILED]',
        'error millrace A function given to onDeadLetter threw: rejected [HOOK_FAILED]',
      ]),
    )
    off()
    await app.publish('a.b', 4)
    await turns(20)
    expect(letters).toHaveLength(3)
  })

  test('of failed deliveries too', async () => {
    const { app, saying } = running({ publish: () => Promise.reject(new Error('down')) })
    app.publisher.onDeliveryFailure(() => {
      throw new Error('thrown')
    })
    await expect(app.publish('a.b', 1)).rejects.toThrow('down')
    expect(await saying('HOOK_FAILED')).toBe(
      'error millrace A function given to onDeliveryFailure threw: thrown [HOOK_FAILED]',
    )
  })
})

test('log lines name queue, type and id, and never show the data', async () => {
  const { app, log, saying } = running()
  app
    .queue('billing', { retry: { attempts: 2, backoff: constant(1) } })
    .on('order.placed', (event) => {
      throw new Error(`declined, attempt of ${event.id}`)
    })
    .on('order.broken', (event) => String(event.data))
  await app.start()
  await app.publish('order.placed', { card: 'hunter2' }, { id: 'e1' })
  await saying('e1: dead letter')
  const broken = encodeEvent(createEvent('order.broken', 0, { id: 'e2' }))
  await app.transport.publish([{ ...broken, data: '{"card": hunter2}' }])
  await saying('e2: dead letter')
  expect(log).toEqual([
    'warn millrace billing order.placed e1: attempt 1 failed: declined, attempt of e1; next try in 1 ms',
    'error millrace billing order.placed e1: dead letter after 2 attempts: declined, attempt of e1',
    'error millrace billing order.broken e2: dead letter after 1 attempt: The data is not JSON [DECODE_FAILED]',
  ])
})

test('a logger that throws harms no event', async () => {
  const fail = (): never => {
    throw new Error('disk full')
  }
  const app = millrace({ transport: memory(), logger: { debug: fail, info: fail, warn: fail, error: fail } })
  open.push(app)
  const dead = signal<DeadLetter>()
  app.onDeadLetter(dead.give)
  app.queue('q', { retry: { attempts: 2, backoff: constant(0) } }).on('a.b', fail)
  await app.start()
  await app.publish('a.b', 1)
  expect(await dead.come).toMatchObject({ attempts: 2 })
})

test('by default what fails is said on stderr', async () => {
  const stderr = vi.spyOn(console, 'error').mockReturnValue()
  const app = millrace({ transport: memory() })
  open.push(app)
  const dead = signal<DeadLetter>()
  app.onDeadLetter(dead.give)
  app.queue('q').on('a.b', () => {
    throw fatal('no')
  })
  await app.start()
  await app.publish('a.b', 1, { id: '1' })
  await dead.come
  expect(stderr.mock.calls).toEqual([['millrace q a.b 1: dead letter after 1 attempt: no']])
  stderr.mockRestore()
})

test('pause takes no more, gives back what waits, and resume goes on', async () => {
  const { app } = running()
  const handled: unknown[] = []
  const started = signal()
  const end = signal()
  const all = signal()
  app.queue('q', { concurrency: 1 }).on('a.b', async (event) => {
    started.give()
    await end.come
    if (handled.push(event.data) === 3) all.give()
  })
  await app.start()
  await app.publish([1, 2, 3].map((n) => createEvent('a.b', n)))
  await started.come
  app.pause('q')
  end.give()
  await turns(20)
  expect(handled).toEqual([1])
  expect(await app.queues()).toMatchObject([{ depth: 2, inFlight: 0 }])
  app.resume('q')
  await all.come
  expect(handled).toEqual([1, 2, 3])
})
