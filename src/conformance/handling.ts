import { expect } from 'vitest'
import { constant, createEvent, millrace, type App, type DeadLetter, type Logger } from '../index.ts'
import { borrowed } from './borrowed.ts'
import { ascending, numbers, shortLease, type Bench, type Case } from './harness.ts'

/*
 * What users see: the same promises, through an app. A driver that keeps its contract gets these from the engine; they
 * fail where the two do not fit together, such as a claim that is larger than was asked for.
 */

interface Opened {
  readonly app: App
  /** The lines that the app logged. */
  readonly lines: readonly string[]
}

function open(bench: Bench, transport = bench.transport): Opened {
  const lines: string[] = []
  const note = (line: unknown): void => void lines.push(String(line))
  const logger: Logger = { debug: note, info: note, warn: note, error: note }
  return { app: millrace({ transport: borrowed(transport), logger }), lines }
}

/** Publishes numbers to the topic of the bench, each with the key that `keyOf` gives. */
function publishNumbers(app: App, bench: Bench, count: number, keyOf?: (n: number) => string): Promise<void> {
  return app.publish(
    numbers(count).map((n) =>
      createEvent(bench.type('numbered'), n, { topic: bench.topic, ...(keyOf && { key: keyOf(n) }) }),
    ),
  )
}

/** Collects values until there are so many. */
class Inbox<T> {
  readonly values: T[] = []
  readonly full: Promise<void>
  readonly #count: number
  #done!: () => void

  constructor(count: number) {
    this.#count = count
    this.full = new Promise((resolve) => {
      this.#done = resolve
    })
  }

  add(value: T): void {
    this.values.push(value)
    if (this.values.length === this.#count) this.#done()
  }
}

/** A promise that somebody else settles. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open!: () => void
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

const needsOrder: Case['unless'] = ({ order }) => (order === 'key' ? undefined : 'cannot keep order by key')

export const handling: readonly Case[] = [
  {
    name: 'two apps on one queue handle each event once',
    async run(bench) {
      const queue = bench.name('queue')
      const inbox = new Inbox<number>(500)
      const apps = [open(bench).app, open(bench, bench.other).app]
      for (const app of apps) {
        app.queue(queue, { topics: [bench.topic] }).on('*', async (event) => inbox.add(event.data as number))
        await app.start()
      }
      await publishNumbers(apps[0]!, bench, 500)
      await bench.soon('500 events', inbox.full)
      for (const app of apps) await app.stop()
      expect(ascending(inbox.values)).toEqual(numbers(500))
    },
  },
  {
    name: 'a queue that fails and retries does not show its retries to another queue',
    async run(bench) {
      const { app } = open(bench)
      const failing = new Inbox<number>(3)
      const other = new Inbox<number>(2)
      const retry = { backoff: constant(5) }
      app.queue(bench.name('a'), { topics: [bench.topic], retry }).on('*', (_event, ctx) => {
        failing.add(ctx.attempt)
        if (ctx.attempt < 3) throw new Error('not yet')
      })
      app
        .queue(bench.name('b'), { topics: [bench.topic] })
        .on('*', (event) => other.add(event.data as number))
      await app.start()
      await publishNumbers(app, bench, 1)
      await bench.soon('three attempts', failing.full)
      await publishNumbers(app, bench, 1)
      await bench.soon('the second event', other.full)
      await app.stop()
      expect(failing.values.slice(0, 3)).toEqual([1, 2, 3])
      expect(other.values).toEqual([0, 0])
    },
  },
  {
    name: 'what fails for good is a dead letter, and runs at attempt 1 again when it is redriven',
    async run(bench) {
      const { app } = open(bench)
      const queue = bench.name('queue')
      const letters = new Inbox<DeadLetter>(1)
      const runs = new Inbox<number>(3)
      app
        .queue(queue, { topics: [bench.topic], retry: { attempts: 2, backoff: constant(1) } })
        .on('*', (_event, ctx) => {
          const first = runs.values.length < 2
          runs.add(ctx.attempt)
          if (first) throw new Error(`failure ${ctx.attempt}`)
        })
      app.onDeadLetter((letter) => letters.add(letter))
      await app.start()
      await publishNumbers(app, bench, 1)
      await bench.soon('the dead letter', letters.full)
      const [letter] = letters.values
      expect(letter).toMatchObject({ queue, attempts: 2, error: { message: 'failure 2' } })
      const stored = await app.deadLetters(queue).get(letter!.id)
      expect(stored?.history.map(({ message }) => message)).toEqual(['failure 1', 'failure 2'])
      expect(await app.deadLetters(queue).redrive(letter!.id)).toBe(1)
      await bench.soon('the redriven event', runs.full)
      await app.stop()
      expect(runs.values).toEqual([1, 2, 1])
    },
  },
  {
    name: 'order by key holds across retries that park',
    unless: (features, under) =>
      needsOrder(features, under) ?? (features.onRetry.includes('park') ? undefined : 'cannot park'),
    async run(bench) {
      const started = await runOrdered(bench, 'park')
      // A failing event is started again before anything behind it in its key.
      for (const key of [0, 1, 2]) {
        const own = started.filter((n) => n % 3 === key)
        expect(
          own.filter((n, i) => n !== own[i - 1]),
          `order of key ${key}`,
        ).toEqual(ascending([...new Set(own)]))
      }
    },
  },
  {
    name: 'order by key lets others pass a retry where that was asked for',
    unless: (features, under) =>
      needsOrder(features, under) ?? (features.onRetry.includes('pass') ? undefined : 'cannot pass'),
    async run(bench) {
      const started = await runOrdered(bench, 'pass')
      for (const key of [0, 1, 2]) {
        const firsts = started.filter((n, i) => n % 3 === key && started.indexOf(n) === i)
        expect(firsts, `first starts of key ${key}`).toEqual(ascending(firsts))
      }
    },
  },
  {
    name: 'a batch handler settles each event by its own outcome',
    async run(bench) {
      const { app } = open(bench)
      const queue = bench.name('queue')
      const letters = new Inbox<DeadLetter>(2)
      const handled = new Inbox<number>(18)
      app
        .queue(queue, { topics: [bench.topic], retry: { attempts: 1 } })
        .onBatch('*', { size: 10 }, (events) =>
          Promise.allSettled(
            events.map(async ({ data }) => {
              if ((data as number) % 10 === 7) throw new Error('a seven')
              handled.add(data as number)
            }),
          ),
        )
      app.onDeadLetter((letter) => letters.add(letter))
      await app.start()
      await publishNumbers(app, bench, 20)
      await bench.soon('18 handled and 2 dead events', Promise.all([handled.full, letters.full]))
      await app.stop()
      expect(ascending(letters.values.map(({ event }) => event?.data as number))).toEqual([7, 17])
    },
  },
  {
    name: 'a batch handler that throws gets its events again one by one',
    async run(bench) {
      const { app } = open(bench)
      const sizes: number[] = []
      const handled = new Inbox<number>(4)
      app
        .queue(bench.name('queue'), { topics: [bench.topic], retry: { attempts: 2, backoff: constant(1) } })
        .onBatch('*', { size: 5, wait: 200 }, (events) => {
          sizes.push(events.length)
          if (events.some(({ data }) => data === 3)) throw new Error('three')
          for (const { data } of events) handled.add(data as number)
        })
      const letters = new Inbox<DeadLetter>(1)
      app.onDeadLetter((letter) => letters.add(letter))
      await app.start()
      await publishNumbers(app, bench, 5)
      await bench.soon('the four good events and the dead one', Promise.all([handled.full, letters.full]))
      await app.stop()
      expect(ascending(handled.values)).toEqual([0, 1, 2, 4])
      expect(sizes.slice(1).every((size) => size === 1) || sizes[0]! < 5, `sizes ${sizes.join(', ')}`).toBe(
        true,
      )
    },
  },
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
    name: 'what a consumer that went away had taken is all handled by another',
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
      const began = performance.now()
      await Promise.all([app.stop({ timeout: 100 }), app.stop({ timeout: 100 })])
      await app.stop()
      expect(performance.now() - began).toBeLessThan(2_100)
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

/** Handles 30 numbers of three keys, 0 to 2 failing twice each; gives the numbers in the order of their starts. */
async function runOrdered(bench: Bench, onRetry: 'park' | 'pass'): Promise<readonly number[]> {
  const { app } = open(bench)
  const started: number[] = []
  const handled = new Inbox<number>(30)
  const order = { by: 'key', onRetry } as const
  app
    .queue(bench.name('queue'), { topics: [bench.topic], order, retry: { backoff: constant(10) } })
    .on('*', async (event, ctx) => {
      const n = event.data as number
      started.push(n)
      if (n < 3 && ctx.attempt < 3) throw new Error('not yet')
      handled.add(n)
    })
  await app.start()
  await publishNumbers(app, bench, 30, (n) => String(n % 3))
  await bench.soon('30 events', handled.full)
  await app.stop()
  expect(ascending(handled.values)).toEqual(numbers(30))
  return started
}
