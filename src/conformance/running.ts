import { expect } from 'vitest'
import { within } from '../clock/within.ts'
import { constant, type DeadLetter } from '../index.ts'
import { gate, Inbox, open, publishNumbers } from './apps.ts'
import { ascending, numbers, shortLease, type Case } from './harness.ts'

/** How apps run: back-pressure, stopping, time limits, what others left behind. */
export const running: readonly Case[] = [
  {
    name: 'handlers that do not get on keep no more than the prefetch from others',
    async run(bench) {
      const { app } = open(bench)
      const queue = bench.name('queue')
      const busy = new Inbox<number>(2)
      const done = new Inbox<number>(200)
      const { passed, open: letGo } = gate()
      app.queue(queue, { topics: [bench.topic], concurrency: 2, prefetch: 10 }).on('*', async (event) => {
        busy.add(event.data as number)
        await passed
        done.add(event.data as number)
      })
      await app.start()
      await publishNumbers(app, bench, 200)
      await bench.soon('two busy handlers', busy.full)
      const stats = (await app.queues()).find(({ name }) => name === queue)
      expect(stats?.inFlight).toBeLessThanOrEqual(10)
      expect(stats!.inFlight + stats!.depth).toBe(200)
      expect(busy.values).toHaveLength(2)
      letGo()
      await bench.soon('200 events', done.full)
      await app.stop()
    },
  },
  {
    name: 'handlers that fail all the time use up no attempts of what waits',
    unless: ({ attempts }) => (attempts === 'upper' ? 'features.attempts counts give-backs, too' : undefined),
    async run(bench) {
      const { app } = open(bench)
      const queue = bench.name('queue')
      const handled = new Inbox<readonly [n: number, attempt: number]>(100)
      const { passed: resting, open: rest } = gate()
      let failing = true
      let failures = 0
      app.onNotice(({ code }) => code === 'BREAKER_OPEN' && rest())
      app
        .queue(queue, { topics: [bench.topic], prefetch: 50, retry: { backoff: constant(1) } })
        .on('*', async (event, ctx) => {
          if (failing) {
            failures++
            throw new Error('out of order')
          }
          handled.add([event.data as number, ctx.attempt])
        })
      await app.start()
      await publishNumbers(app, bench, 100)
      await bench.soon('the breaker', resting)
      failing = false
      app.resume(queue)
      await bench.soon('100 events', handled.full)
      await app.stop()
      expect(ascending(handled.values.map(([n]) => n))).toEqual(numbers(100))
      const counted = handled.values.reduce((sum, [, attempt]) => sum + attempt - 1, 0)
      expect(counted, 'failures that were counted').toBe(failures)
    },
  },
  {
    name: 'what a consumer that went away had taken is all handled by another',
    unless: ({ leases }) => (leases === 'timed' ? undefined : `features.leases is '${leases}'`),
    async run(bench) {
      const queue = await bench.queue()
      const gone = await bench.session(queue, { lease: shortLease, on: bench.other })
      await bench.publish(...bench.events(40))
      await bench.receive(gone, 40)
      const { app } = open(bench)
      const inbox = new Inbox<number>(40)
      app
        .queue(queue, { topics: [bench.topic], concurrency: 4 })
        .on('*', async (event) => inbox.add(event.data as number))
      await app.start()
      await bench.soon('40 events', inbox.full)
      await app.stop()
      expect(ascending(inbox.values)).toEqual(numbers(40))
    },
  },
  {
    name: 'stop lets a handler finish, and gives back what had not started without an attempt',
    async run(bench) {
      const first = open(bench).app
      const queue = bench.name('queue')
      const started = new Inbox<number>(1)
      const { passed, open: letGo } = gate()
      const finished: number[] = []
      first.queue(queue, { topics: [bench.topic], concurrency: 1, prefetch: 10 }).on('*', async (event) => {
        started.add(event.data as number)
        await passed
        finished.push(event.data as number)
      })
      await first.start()
      await publishNumbers(first, bench, 5)
      await bench.soon('a busy handler', started.full)
      const stopped = first.stop()
      letGo()
      await bench.soon('the stop', stopped)
      expect(finished).toEqual(started.values)
      const second = open(bench).app
      const rest = new Inbox<[number, number]>(5 - finished.length)
      second
        .queue(queue, { topics: [bench.topic] })
        .on('*', (event, ctx) => rest.add([event.data as number, ctx.attempt]))
      await second.start()
      await bench.soon('the rest', rest.full)
      await second.stop()
      const expected = numbers(5).filter((n) => !finished.includes(n))
      expect(rest.values.toSorted((a, b) => a[0] - b[0])).toEqual(expected.map((n) => [n, 1]))
    },
  },
  {
    name: 'stop ends in time though a handler ignores its signal, and is idempotent',
    async run(bench) {
      const { app } = open(bench)
      const started = new Inbox<AbortSignal>(1)
      const { passed, open: letGo } = gate()
      app.queue(bench.name('queue'), { topics: [bench.topic] }).on('*', async (_event, ctx) => {
        started.add(ctx.signal)
        await passed
      })
      await app.start()
      await publishNumbers(app, bench, 1)
      await bench.soon('a busy handler', started.full)
      const stops = Promise.all([app.stop({ timeout: 100 }), app.stop({ timeout: 100 })])
      expect(await within(stops, 2_100), 'the stop took long').toBe(true)
      await app.stop()
      expect(started.values[0]?.aborted).toBe(true)
      letGo()
    },
  },
  {
    name: 'an event is settled only after a next() that nobody awaited',
    async run(bench) {
      const { app, lines } = open(bench)
      const queue = bench.name('queue')
      const { passed, open: letGo } = gate()
      const started = new Inbox<number>(1)
      const failed = new Inbox<DeadLetter>(1)
      app
        .queue(queue, { topics: [bench.topic], retry: { attempts: 1 } })
        .use(async (_event, _ctx, next) => {
          void next()
        })
        .on('*', async () => {
          started.add(1)
          await passed
          throw new Error('after all')
        })
      app.onDeadLetter((letter) => failed.add(letter))
      await app.start()
      await publishNumbers(app, bench, 1)
      await bench.soon('the handler', started.full)
      expect((await app.queues()).find(({ name }) => name === queue)?.inFlight).toBe(1)
      letGo()
      await bench.soon('the dead letter', failed.full)
      await app.stop()
      expect(lines.filter((line) => line.includes('NEXT_NOT_AWAITED'))).toHaveLength(1)
    },
  },
  {
    name: 'a handler that runs longer than maxHandling has failed, and its signal is aborted',
    async run(bench) {
      const { app } = open(bench)
      const reasons = new Inbox<unknown>(2)
      const options = { topics: [bench.topic], maxHandling: 50, retry: { attempts: 2, backoff: constant(1) } }
      app.queue(bench.name('queue'), options).on('*', async (_event, ctx) => {
        await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
        reasons.add((ctx.signal.reason as { code?: unknown }).code)
      })
      const letters = new Inbox<DeadLetter>(1)
      app.onDeadLetter((letter) => letters.add(letter))
      await app.start()
      await publishNumbers(app, bench, 1)
      await bench.soon('the dead letter', letters.full)
      await app.stop()
      expect(reasons.values).toEqual(['HANDLING_TIMEOUT', 'HANDLING_TIMEOUT'])
      expect(letters.values[0]?.error.code).toBe('HANDLING_TIMEOUT')
    },
  },
  {
    name: 'a handler that publishes its event on changes not a byte of the data',
    async run(bench) {
      const { app } = open(bench)
      const text = '{"b":12345678901234567890,"a":"\\u00e9 \\ud83d\\ude00","n":1.0}'
      const forwarded = new Inbox<Uint8Array>(1)
      app.queue(bench.name('in'), { topics: [bench.topic] }).on('*', async (event, ctx) => {
        expect(event.data).toBeTypeOf('object')
        await ctx.publish(event.with({ topic: `${bench.topic}-on`, id: `${event.id}-on` }))
      })
      app
        .queue(bench.name('on'), { topics: [`${bench.topic}-on`] })
        .on('*', (event) => forwarded.add(event.bytes))
      await app.start()
      await bench.publish({ ...bench.event('raw'), data: text })
      await bench.soon('the forwarded event', forwarded.full)
      await app.stop()
      expect(new TextDecoder().decode(forwarded.values[0])).toBe(text)
    },
  },
]
