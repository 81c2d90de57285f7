import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { systemClock, type Clock } from '../../clock/clock.ts'
import type { Received, Session } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { SqliteTransport } from './sqlite-transport.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-clocks-'))
afterAll(() => rm(folder, { recursive: true }))

const hour = 3_600_000
let last = 0
let path: string
/** What the wall clock has been stepped by, and what time has passed besides the real one. */
let stepped: number
let passed: number
/** What the monotonic clock shows while it is held. */
let held: number | undefined
let transport: SqliteTransport
let session: Session

const clock: Clock = {
  now: () => systemClock.now() + stepped + passed,
  monotonic: () => held ?? systemClock.monotonic() + passed,
  after: (ms, run) => systemClock.after(ms, run),
}

beforeEach(async () => {
  stepped = 0
  passed = 0
  held = undefined
  path = join(folder, `${++last}.db`)
  transport = open()
  const subscriptions = [{ topic: 'order', pattern: '*' }]
  await transport.declare([{ name: 'orders', subscriptions, from: 'now', order: false }])
  session = await consume(transport)
})

/** As another process would. */
function open(): SqliteTransport {
  const made = new SqliteTransport({ path, durability: 'fsync', retention: hour, busyLimit: 10_000, clock })
  onTestFinished(() => made.close())
  return made
}

function consume(from: SqliteTransport): Promise<Session> {
  const handlers = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  return from.open('orders', { lease: 10 * hour, order: false, clock, ...handlers })
}

const publish = (deliverAt?: Date): Promise<void> =>
  transport.publish([encodeEvent(createEvent('order.placed', null, deliverAt && { deliverAt }))])

const take = async (from = session): Promise<readonly Received[]> =>
  (await from.exchange({ settle: [], max: 10 })).received

async function postpone(as: 'retry' | 'release', delay: number): Promise<void> {
  await publish()
  await session.settle((await take()).map((of) => ({ of, as, delay })))
}

const waits = async (): Promise<number> => {
  const [queue] = await transport.admin.queues()
  return queue!.retrying + queue!.delayed
}

test.each([
  ['retry', hour],
  ['retry', -hour],
  ['release', hour],
  ['release', -hour],
] as const)('the wait of a %s is not changed by a wall clock that steps by %d ms', async (as, step) => {
  await postpone(as, 600_000)
  stepped = step
  expect(await take()).toEqual([])
  expect(await waits()).toBe(1)
  const other = await consume(open())
  expect(await take(other)).toEqual([])

  passed = 600_001
  expect(await waits()).toBe(0)
  expect(await take(other)).toHaveLength(1)
})

test.each(['retry', 'release'] as const)(
  'not even a part of a millisecond is taken off the wait of a %s',
  async (as) => {
    const start = Math.ceil(systemClock.monotonic()) + 0.9
    held = start
    await postpone(as, 100)
    held = start + 99.5
    expect(await take()).toEqual([])
    held = start + 101
    expect(await take()).toHaveLength(1)
  },
)

test('ready wakes for the end of such a wait', async () => {
  await postpone('retry', 100)
  stepped = -hour
  const signal = AbortSignal.timeout(10_000)
  let received = await take()
  while (received.length === 0) {
    await session.ready(signal)
    signal.throwIfAborted()
    received = await take()
  }
})

test('a date is a date by the wall clock', async () => {
  await publish(new Date(clock.now() + hour))
  expect(await take()).toEqual([])
  expect(await waits()).toBe(1)
  stepped = hour + 1
  expect(await waits()).toBe(0)
  expect(await take()).toHaveLength(1)
})

test('after a restart of the machine, waits go on by its wall clock', async () => {
  await postpone('retry', 600_000)
  await transport.close()
  const hand = new DatabaseSync(path)
  hand.exec("UPDATE meta SET boot = 'an earlier start', booted = booted - 86400000")
  hand.close()
  transport = open()
  session = await consume(transport)
  expect(await take()).toEqual([])
  expect(await waits()).toBe(1)
  passed = 600_001
  expect(await take()).toHaveLength(1)
})
