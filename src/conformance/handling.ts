import { expect } from 'vitest'
import { constant, type DeadLetter } from '../index.ts'
import { Inbox, open, publishNumbers } from './apps.ts'
import { ascending, numbers, type Bench, type Case } from './harness.ts'

const needsOrder: Case['unless'] = ({ order }) => (order === 'key' ? undefined : 'cannot keep order by key')

/** What becomes of events: handled, retried, dead, in order, in batches. */
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
