import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { swapParts, type Swappable } from '../src/app-tools.ts'
import { manualClock } from '../src/clock/manual-clock.ts'
import { createEvent, millrace, type App, type Delivery, type MillraceEvent } from '../src/index.ts'
import { testing, type TestApp } from '../src/testing/index.ts'
import { lines, signal, turns } from './signals.ts'

/* Handlers that leave timers behind, in an app whose clock is moved by hand. The timers are real. */

const left: NodeJS.Timeout[] = []
afterEach(() => left.splice(0).forEach(clearInterval))
const leave = (): void => void left.push(setInterval(() => undefined, 3_600_000))

/** Bun tells nothing of timers. */
function seen(): boolean {
  leave()
  return process.getActiveResourcesInfo().includes('Timeout')
}

function shop(): { app: App; log: string[] } {
  const { log, logger } = lines()
  return { app: millrace({ transport: 'memory:', logger }), log }
}

/** Three minutes, with 30 events of each type every ten seconds. */
async function threeMinutes(t: TestApp, ...types: readonly string[]): Promise<void> {
  for (let looks = 0; looks < 18; looks++) {
    await t.publish(types.flatMap((type) => Array.from({ length: 30 }, () => createEvent(type, 1))))
    await t.advance('10s')
  }
}

test.runIf(seen())('are told of once for all queues of the app', async () => {
  const { app, log } = shop()
  const codes: string[] = []
  app.onNotice(({ code }) => codes.push(code))
  app.queue('one').on('a.b', leave)
  app.queue('other').on('a.c', leave)
  await using t = await testing(app)
  await threeMinutes(t, 'a.b', 'a.c')
  expect(codes).toEqual(['TIMERS_LEAKED'])
  // Give or take a few: the test runner has timers of its own.
  const said =
    /^warn millrace Handlers leave timers behind: (71\d|72\d) more than 2 min ago, and handlers ran 720 times; clear them in `finally` \[TIMERS_LEAKED\]$/
  expect(log).toEqual([expect.stringMatching(said)])
})

test('are not seen in timers that end with their handler', async () => {
  const { app, log } = shop()
  app.queue('q', { concurrency: 100 }).on('a.b', async () => {
    const limit = setTimeout(() => undefined, 3_600_000)
    await sleep(1)
    clearTimeout(limit)
  })
  await using t = await testing(app)
  await threeMinutes(t, 'a.b')
  expect([t.handled('q').length, log]).toEqual([540, []])
})

function delivery(event: MillraceEvent): Delivery {
  const done = async (): Promise<void> => undefined
  const none = (): never => expect.unreachable()
  return {
    event,
    queue: 'q',
    attempt: 1,
    ack: done,
    retry: none,
    deadLetter: none,
    extend: none,
    settle: none,
  }
}

test.each([
  ['its queue', (app: App, event: MillraceEvent) => app.publish(event)],
  ['elsewhere', (app: App, event: MillraceEvent) => void app.receiver.deliver(delivery(event))],
])('are not seen in more and more handlers that run with an event from %s', async (_from, bring) => {
  const { app, log } = shop()
  const clock = manualClock()
  ;(app as unknown as Swappable)[swapParts]({ clock })
  const end = signal()
  let running = 0
  app.queue('q', { concurrency: 1_000, maxHandling: '1h' }).on('a.b', async () => {
    running++
    leave()
    await end.come
  })
  await app.start()
  for (let looks = 0; looks < 18; looks++) {
    for (let n = 0; n < 30; n++) await bring(app, createEvent('a.b', n))
    await turns()
    clock.advance(10_000)
  }
  expect([running, log]).toEqual([540, []])
  end.give()
  await app.stop()
})

test('are not looked for any more after the stop', async () => {
  const { app } = shop()
  const clock = manualClock()
  ;(app as unknown as Swappable)[swapParts]({ clock })
  const handled = signal()
  app.queue('q').on('a.b', () => handled.give())
  await app.start()
  await app.publish('a.b', 1)
  await handled.come
  await app.stop()
  expect(clock.nextIn).toBeUndefined()
})
