import { describe, expect, test } from 'vitest'
import { memory } from '../src/adapters/memory/index.ts'
import type { Notice } from '../src/contract/transport.ts'
import { fatal, millrace, type App } from '../src/index.ts'
import { constant } from '../src/receive/outcome.ts'
import type { QueueOptions } from '../src/receive/typed.ts'
import { testing } from '../src/testing/index.ts'
import { signal, turns } from './signals.ts'

/* A queue whose handler fails all the time, in a whole app. When exactly it rests is tested beside the breaker itself. */

const retry = { backoff: constant('1h') }

async function publishMany(app: Pick<App, 'publish'>, n: number): Promise<void> {
  for (let i = 0; i < n; i++) await app.publish('order.placed', i)
}

/** An app whose handler fails with `problem.error` until that is taken away. */
function failing(
  options: QueueOptions = { retry },
  error = (): Error => new Error('down'),
  transport = memory(),
) {
  const app = millrace({ transport, logger: false })
  const notices: Notice[] = []
  app.onNotice((notice) => notices.push(notice))
  const state = { broken: true, runs: 0 }
  app.queue('billing', { concurrency: 1, ...options }).on('order.placed', async () => {
    state.runs++
    if (state.broken) throw error()
  })
  return { app, notices, state, codes: () => notices.map(({ code }) => code) }
}

test('rests after 20 failures, tries one event after 5 s, then 10 s, and goes on when one is handled', async () => {
  const { app, state, notices, codes } = failing()
  await using t = await testing(app)
  await publishMany(app, 60)
  await t.idle()
  expect(state.runs).toBe(20)
  expect(notices).toMatchObject([{ code: 'BREAKER_OPEN', queue: 'billing', cause: { message: 'down' } }])
  expect(await app.queues()).toMatchObject([{ depth: 40, inFlight: 0, retrying: 20 }])
  await t.advance('5s')
  expect(state.runs).toBe(21)
  await t.advance('9999ms')
  expect(state.runs).toBe(21)
  state.broken = false
  await t.advance('1ms')
  expect(codes()).toEqual(['BREAKER_OPEN', 'BREAKER_CLOSED'])
  expect(t.handled('billing')).toHaveLength(39)
  await t.drain()
  expect(t.handled('billing')).toHaveLength(60)
})

test('what it had taken ahead is free for other processes, without an attempt', async () => {
  const transport = memory()
  const { app: broken, state } = failing({ retry, concurrency: 10, prefetch: 100 }, undefined, transport)
  const open = signal()
  broken.onNotice(({ code }) => code === 'BREAKER_OPEN' && open.give())
  await publishMany(broken, 100)
  await broken.start()
  await open.come
  await turns()
  const left = 100 - state.runs
  expect(left).toBeGreaterThan(50)
  expect(await broken.queues()).toMatchObject([{ depth: left, inFlight: 0, retrying: state.runs }])
  const whole = millrace({ transport, logger: false })
  const attempts: number[] = []
  const all = signal()
  whole.queue('billing').on('order.placed', (_event, ctx) => {
    if (attempts.push(ctx.attempt) === left) all.give()
  })
  await whole.start()
  await all.come
  expect(new Set(attempts)).toEqual(new Set([1]))
  await whole.stop()
  await broken.stop()
})

test('the test kit drains through a breaker that is open', async () => {
  const { app, state } = failing({ retry: { attempts: 2, backoff: constant(0) } })
  await using t = await testing(app)
  await publishMany(app, 30)
  await t.drain()
  expect(state.runs).toBe(60)
  expect(t.dead('billing')).toHaveLength(30)
})

describe('closed by hand', () => {
  test('a redrive in this process closes it', async () => {
    const { app, state, codes } = failing({ retry: { attempts: 1 } })
    await using t = await testing(app)
    await publishMany(app, 30)
    await t.idle()
    expect(t.dead('billing')).toHaveLength(20)
    state.broken = false
    expect(await app.deadLetters('billing').redrive('nobody')).toBe(0)
    await t.idle()
    expect(codes()).toEqual(['BREAKER_OPEN'])
    expect(await app.deadLetters('billing').redrive()).toBe(20)
    await t.idle()
    expect(t.handled('billing')).toHaveLength(30)
  })

  test('so does resume, also where nobody paused', async () => {
    const { app, state } = failing()
    await using t = await testing(app)
    await publishMany(app, 30)
    await t.idle()
    state.broken = false
    app.resume('billing')
    await t.idle()
    expect(t.handled('billing')).toHaveLength(10)
  })

  test('a pause holds while it is open: nothing is tried', async () => {
    const { app, state } = failing()
    await using t = await testing(app)
    await publishMany(app, 30)
    await t.idle()
    app.pause('billing')
    await t.advance('10m')
    expect(state.runs).toBe(20)
  })
})

describe('does not open', () => {
  test.each<[string, QueueOptions, () => Error]>([
    ['when it is switched off', { retry, breaker: false }, () => new Error('down')],
    ['for what is fatal', {}, () => fatal(new Error('no such customer'))],
  ])('%s', async (_name, options, error) => {
    const { app, state, notices } = failing(options, error)
    await using t = await testing(app)
    await publishMany(app, 60)
    await t.idle()
    expect([state.runs, notices]).toEqual([60, []])
    t.dead('billing')
  })

  test('for events that nobody here handles: they must not hold up the others', async () => {
    const { app, state, notices } = failing({ retry, types: ['order.*'] })
    state.broken = false
    await using t = await testing(app)
    for (let i = 0; i < 60; i++) await app.publish('order.paid', i)
    await app.publish('order.placed', 1)
    await t.idle()
    expect([t.handled('billing').length, notices]).toEqual([1, []])
  })

  test('for one batch that fails as a whole, since its events then come alone', async () => {
    const app = millrace({ transport: memory(), logger: false })
    const notices: Notice[] = []
    app.onNotice((notice) => notices.push(notice))
    app
      .queue('billing', { retry: { backoff: constant('1s') } })
      .onBatch('order.placed', { size: 50, wait: '10ms' }, async (events) => {
        if (events.some(({ data }) => data === 7)) throw new Error('seven')
      })
    await using t = await testing(app)
    await publishMany(app, 50)
    await t.advance('10s')
    expect(t.handled('billing')).toHaveLength(49)
    expect(notices).toEqual([])
  })
})
