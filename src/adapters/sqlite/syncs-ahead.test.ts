import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import type { Notice, Received } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { openEventFile } from './event-file.ts'
import { SqliteSession } from './session.ts'
import { SqliteTransport } from './sqlite-transport.ts'

let path: string
let transport: SqliteTransport
let session: SqliteSession
/** Stands in for the disk, which cannot be made slow: each call waits until the test answers it. */
let asked: PromiseWithResolvers<void>[]
let notices: Notice[]
let received: readonly Received[]

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-ahead-'))
  path = join(folder, 'events.db')
  const options = {
    path,
    durability: 'fsync',
    retention: 60_000,
    busyLimit: 10_000,
    clock: systemClock,
  } as const
  transport = new SqliteTransport(options)
  const subscriptions = [{ topic: 'order', pattern: '*' }]
  await transport.declare([{ name: 'orders', subscriptions, from: 'now', order: false }])
  const events = Array.from({ length: 20 }, (_, n) => encodeEvent(createEvent('order.placed', n)))
  await transport.publish(events)
  const file = await openEventFile(options)
  asked = []
  notices = []
  vi.spyOn(file.database, 'keep').mockImplementation(() => {
    const answer = Promise.withResolvers<void>()
    asked.push(answer)
    return answer.promise
  })
  session = new SqliteSession(
    file,
    'orders',
    file.subscriptions.queue('orders'),
    {
      lease: 60_000,
      order: false,
      clock: systemClock,
      notice: (notice) => void notices.push(notice),
      onRevoke: () => {},
      onLost: () => {},
    },
    () => {},
  )
  onTestFinished(async () => {
    for (const { resolve } of asked) resolve()
    await session.close()
    await Promise.all([file.database.close(), transport.close()])
    await rm(folder, { recursive: true })
  })
  received = (await session.exchange({ settle: [], max: 20 })).received
})

const ack = (n: number): Promise<unknown> => session.settle([{ of: received[n]!, as: 'ack' }])

/** While another process writes. */
async function crowded(n: number): Promise<void> {
  using other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const acked = ack(n)
  other.exec('COMMIT')
  await acked
}

async function left(): Promise<number> {
  const [queue] = await transport.admin.queues()
  return queue!.inFlight
}

test('claims need no disk; settlements go ahead of it, eight exchanges far', async () => {
  expect([received.length, asked.length]).toEqual([20, 0])
  for (let n = 0; n < 8; n++) expect(await ack(n)).toBeUndefined()
  const ninth = ack(8)
  expect([await left(), asked.length]).toEqual([12, 8])
  asked[0]!.resolve()
  await ninth
  expect([await left(), asked.length]).toEqual([11, 9])
})

test('while claims are twice as large, since others write as well, they go four exchanges ahead', async () => {
  await crowded(0)
  for (let n = 1; n < 4; n++) await ack(n)
  const fifth = ack(4)
  expect([await left(), asked.length]).toEqual([16, 4])
  asked[0]!.resolve()
  await fifth
  expect([await left(), asked.length]).toEqual([15, 5])
})

test('as soon as claims are twice as large, no more go ahead until as few as that are', async () => {
  for (let n = 0; n < 7; n++) await ack(n)
  await crowded(7)
  const ninth = ack(8)
  for (const { resolve } of asked.slice(0, 4)) resolve()
  expect([await left(), asked.length]).toEqual([12, 8])
  asked[4]!.resolve()
  await ninth
  expect([await left(), asked.length]).toEqual([11, 9])
})

test('flush resolves when the disk has all that was settled', async () => {
  await ack(0)
  await ack(1)
  let kept = 0
  const flushed = session.flush().then(() => expect(kept).toBe(2))
  for (const { resolve, promise } of asked) {
    void promise.then(() => kept++)
    resolve()
    await left()
  }
  await flushed
})

test('flush waits for all of them, in whatever order the disk has them', async () => {
  await ack(0)
  await ack(1)
  asked[1]!.resolve()
  await left()
  let flushed = false
  const flush = session.flush().then(() => (flushed = true))
  await left()
  expect(flushed).toBe(false)
  asked[0]!.resolve()
  await flush
})

test('an exchange that waits for the disk takes nothing once the session is closed', async () => {
  for (let n = 0; n < 8; n++) await ack(n)
  const ninth = session.exchange({ settle: [{ of: received[8]!, as: 'ack' }], max: 20 })
  const refused = expect(ninth).rejects.toMatchObject({ code: 'STOPPED' })
  await left()
  await session.close()
  asked[0]!.resolve()
  await refused
  expect(await left()).toBe(0)
})

test('what the disk refuses is settled all the same, and told', async () => {
  await ack(0)
  asked[0]!.reject(new MillraceError('STORE_FULL', 'no space left'))
  await session.flush()
  expect(notices).toMatchObject([{ code: 'STORE_FULL', queue: 'orders' }])
  expect(await left()).toBe(19)
})

test('that the disk refuses is told once, until it takes something', async () => {
  const full = new MillraceError('STORE_FULL', 'no space left')
  const settle = async (n: number, answer: 'reject' | 'resolve'): Promise<void> => {
    await ack(n)
    if (answer === 'reject') asked[n]!.reject(full)
    else asked[n]!.resolve()
    await session.flush()
  }
  await settle(0, 'reject')
  await settle(1, 'reject')
  expect(notices).toHaveLength(1)
  await settle(2, 'resolve')
  await settle(3, 'reject')
  expect(notices).toHaveLength(2)
})

test('that a lapsed event was claimed alone is on the disk before it is handed out', async () => {
  await session.extend(received.slice(0, 1), -1)
  let handedOut = false
  const exchange = session.exchange({ settle: [], max: 0, lapsed: 1 }).finally(() => (handedOut = true))
  await expect.poll(() => asked.length, { interval: 1 }).toBe(1)
  await left()
  expect(handedOut).toBe(false)
  asked[0]!.resolve()
  expect((await exchange).received).toMatchObject([{ id: received[0]!.id, lapsed: true }])
})
