import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import type { DeadLetterRecord, FailureTrail } from '../../contract/dead-letter.ts'
import type { Received, Session, Transport } from '../../contract/transport.ts'
import { letterOf } from '../../dead-letters.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { sqlite } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-rows-'))
afterAll(() => rm(folder, { recursive: true }))

let last = 0
let transport: Transport
let session: Session
/** Somebody with the sqlite3 tool. */
let hand: DatabaseSync

const trail: FailureTrail = { firstFailedAt: 1, history: [{ at: 1, message: 'no' }] }
const record: DeadLetterRecord = { ...trail, error: { name: 'Error', message: 'no' }, attempts: 1, deadAt: 2 }

beforeEach(async () => {
  const path = join(folder, `${++last}.db`)
  transport = sqlite(path)
  onTestFinished(() => transport.close())
  const subscriptions = [{ topic: 'order', pattern: '*' }]
  await transport.declare([{ name: 'orders', subscriptions, from: 'now', order: false }])
  session = await open()
  hand = new DatabaseSync(path)
  onTestFinished(() => hand.close())
})

function open(lease = 30_000): Promise<Session> {
  const handlers = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  return transport.open('orders', { lease, order: false, clock: systemClock, ...handlers })
}

const publish = (...ids: readonly string[]): Promise<void> =>
  transport.publish(ids.map((id) => encodeEvent(createEvent('order.placed', null, { id }))))

async function take(from = session, lapsed = 0): Promise<readonly Received[]> {
  return (await from.exchange({ settle: [], max: lapsed === 0 ? 10 : 0, lapsed })).received
}

const idsOf = (events: readonly Received[]): readonly string[] => events.map(({ id }) => id)

async function bury(...ids: readonly string[]): Promise<void> {
  await publish(...ids)
  await session.settle((await take()).map((of) => ({ of, as: 'dead', record })))
}

test('a second dead letter of an event has a name of its own, whatever the ids of others are', async () => {
  await bury('x')
  await bury('x~3')
  await bury('x')
  const letters = await transport.admin.deadLetters('orders', { limit: 5 })
  expect(letters.map(({ id }) => id)).toEqual(['x', 'x~3', 'x'])
  expect(new Set(letters.map(({ letter }) => letter)).size).toBe(3)
})

/** As a bad disk would: past the checks. */
function damage(sql: string): void {
  hand.exec('PRAGMA ignore_check_constraints = ON')
  hand.exec(sql)
}

describe.each([Number.MAX_SAFE_INTEGER, 1e300, Number.POSITIVE_INFINITY])('a time of %d ms', (ms) => {
  test.each(['retry', 'release'] as const)(
    'as the delay of a %s does not hurt the neighbours',
    async (as) => {
      await publish('a', 'b')
      const [a, b] = (await take()) as [Received, Received]
      const results = await session.settle([
        { of: a, as, delay: ms, trail },
        { of: b, as, trail },
      ])
      expect(results).toBeUndefined()
      expect(idsOf(await take())).toEqual(['b'])
      const [counts] = await transport.admin.queues()
      expect(counts!.retrying + counts!.delayed).toBe(1)
      expect(hand.prepare('SELECT due FROM events WHERE due IS NOT NULL').all()).toEqual([
        { due: 8_640_000_000_000_000 },
      ])
    },
  )

  test('as a lease holds', async () => {
    await publish('a')
    const holder = await open(ms)
    const [a] = (await take(holder)) as [Received]
    expect(await holder.extend([a], ms)).toEqual(['ok'])
    await publish('b')
    expect(idsOf(await take())).toEqual(['b'])
    expect(await holder.settle([{ of: a, as: 'ack' }])).toBeUndefined()
  })
})

test.each([
  'UPDATE events SET seq = 0',
  'UPDATE events SET seq = 9007199254740992',
  'UPDATE events SET due = -1',
  'UPDATE events SET due = 8640000000000001',
  'UPDATE events SET taken = 9223372036854775807',
  'UPDATE events SET failures = -1',
  'UPDATE events SET failures = 1000000001',
  'UPDATE events SET parked = 2',
  'UPDATE events SET steady = 2',
  'INSERT INTO ready VALUES (1, 0, NULL)',
  "INSERT INTO aside VALUES (1, 'a', 9007199254740992)",
  'UPDATE events SET data = 5',
  'UPDATE events SET data = 0.5',
  'UPDATE held SET seq = -1',
  'UPDATE held SET lease = 9223372036854775807',
  'UPDATE held SET lone = 2',
  'UPDATE dead SET letter = 9007199254740992',
  'UPDATE dead SET data = 5',
  "UPDATE dead SET record = 'x'",
  'UPDATE unrouted SET seq = 0',
  'UPDATE unrouted SET due = 8640000000000001',
  'UPDATE unrouted SET taken = -1',
  'UPDATE unrouted SET data = 5',
  'UPDATE queues SET ordered = 2',
  'UPDATE queues SET id = 9007199254740992',
  'UPDATE subscriptions SET queue = 9007199254740992',
  'UPDATE meta SET generation = 9007199254740992',
  'UPDATE meta SET booted = 9007199254740992',
  "INSERT INTO events (queue, due, taken, id, type, head, data) VALUES (1, 1e18, 0, 'x', 'x', '{}', '')",
  "INSERT INTO dead (queue, name, id, type, head, data, record) VALUES (1, 'x', 'x', 'x', '{}', '', '{')",
])('SQLite refuses %s', async (sql) => {
  await bury('dead')
  await publish('a')
  await take()
  await transport.publish([encodeEvent(createEvent('nobody.asked', null))])
  expect(() => hand.exec(sql)).toThrow(/CHECK constraint failed/)
})

test('an event that failed as often as can be counted is still settled', async () => {
  await publish('a')
  hand.exec('UPDATE events SET failures = 1000000000')
  const [a] = (await take()) as [Received]
  expect(await session.settle([{ of: a, as: 'retry', trail }])).toBeUndefined()
  expect((await take()).map(({ attempt }) => attempt)).toEqual([1_000_000_001])
})

test.each([
  '{',
  '',
  'null',
  '5',
  '{}',
  '{"firstFailedAt":1,"history":[null]}',
  '{"firstFailedAt":"1","history":[]}',
])('the trail %s is none', async (text) => {
  await publish('a', 'b')
  damage(`UPDATE events SET trail = '${text}' WHERE id = 'a'`)
  const received = await take()
  expect(received.map((one) => one.trail)).toEqual([undefined, undefined])
  expect(await session.settle(received.map((of) => ({ of, as: 'retry', trail })))).toBeUndefined()
  expect((await take()).map((one) => one.trail)).toEqual([trail, trail])
})

describe.each(['{', '', 'null', '5', '{}', '{"error":{},"history":[null]}'])('a record of %s', (text) => {
  beforeEach(async () => {
    await bury('a', 'b', 'c')
    damage(`UPDATE dead SET record = '${text}' WHERE id = 'b'`)
  })

  test('breaks no list, and says so', async () => {
    const letters = await transport.admin.deadLetters('orders', { limit: 10 })
    expect(letters.map((letter) => letter.letter)).toEqual(['a', 'b', 'c'])
    expect(letterOf('orders', letters[1]!)).toMatchObject({
      id: 'b',
      event: { id: 'b' },
      error: { message: expect.stringContaining('damaged'), code: 'STORE_CORRUPT' },
    })
    expect(letters[0]!.record).toEqual(record)
    expect(await transport.admin.deadLetter('orders', 'b')).toEqual(letters[1])
  })

  test('keeps no letter from going back', async () => {
    expect(await transport.admin.redrive('orders', undefined)).toBe(3)
    const received = await take()
    expect(idsOf(received)).toEqual(['a', 'b', 'c'])
    expect(received.map((one) => one.trail)).toEqual([trail, undefined, trail])
  })
})

test('an event deleted while it is held does not keep lapsed ones from being taken', async () => {
  await publish('a', 'b')
  await take()
  hand.exec("DELETE FROM events WHERE id = 'a'; UPDATE held SET lease = 0")
  expect(idsOf(await take(session, 10))).toEqual(['b'])
  expect(hand.prepare('SELECT count(*) AS n FROM held').get()).toEqual({ n: 1 })
})

test('events deleted while they are ready are forgotten, and their places may be used again', async () => {
  await publish('a', 'b', 'c')
  hand.exec('DELETE FROM events')
  await publish('d')
  expect(idsOf(await take())).toEqual(['d'])
  expect(hand.prepare('SELECT count(*) AS n FROM ready').get()).toEqual({ n: 0 })
})

test('a date that is given to events that are ready or held does not make them come twice', async () => {
  await publish('a', 'b')
  const { received: held } = await session.exchange({ settle: [], max: 1 })
  hand.exec('UPDATE events SET due = 1')
  expect([...idsOf(held), ...idsOf(await take())]).toEqual(['a', 'b'])
  expect(await session.settle(held.map((of) => ({ of, as: 'ack' })))).toBeUndefined()
  expect(await take()).toEqual([])
})
