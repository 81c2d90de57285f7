import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import type { Received, Session, Settlement, Transport } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { sqlite } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-keys-'))
afterAll(() => rm(folder, { recursive: true }))

let files = 0
let path: string
let transport: Transport
let published: number
/** Somebody with the sqlite3 tool. */
let hand: DatabaseSync

beforeEach(async () => {
  path = join(folder, `${++files}.db`)
  published = 0
  transport = open()
  const subscriptions = [{ topic: 'order', pattern: '*' }]
  await transport.declare([{ name: 'orders', subscriptions, from: 'now', order: true }])
  hand = new DatabaseSync(path)
  onTestFinished(() => hand.close())
})

function open(): Transport {
  const made = sqlite({ path, durability: 'process' })
  onTestFinished(() => made.close())
  return made
}

function consume(from: Transport): Promise<Session> {
  const handlers = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  return from.open('orders', { lease: 30_000, order: true, clock: systemClock, ...handlers })
}

/** Events whose data is their number among all. */
const publish = (...keys: readonly string[]): Promise<void> =>
  transport.publish(keys.map((key) => encodeEvent(createEvent('order.placed', published++, { key }))))
const hot = (count: number): readonly string[] => Array.from({ length: count }, () => 'hot')

const take = async (from: Session, max: number): Promise<readonly Received[]> =>
  (await from.exchange({ settle: [], max })).received
const acknowledge = (from: Session, events: readonly Received[]): Promise<unknown> =>
  from.settle(events.map((of) => ({ of, as: 'ack' })))
const number = (event: Received): number => Number(event.data)
const setAside = (): number => hand.prepare('SELECT count(*) AS n FROM aside').get()!['n'] as number

/** What the session can take until `ready` would wait. */
async function drain(session: Session, max = 128): Promise<readonly number[]> {
  const numbers: number[] = []
  for (;;) {
    const events = await take(session, max)
    numbers.push(...events.map(number))
    await acknowledge(session, events)
    if (events.length === 0 && !(await isReady(session))) return numbers
  }
}

async function isReady(session: Session): Promise<boolean> {
  const stop = new AbortController()
  setImmediate(() => stop.abort())
  await session.ready(stop.signal)
  return !stop.signal.aborted
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)

test('the backlog of a key that is held elsewhere is set aside, and handed out in its order when the key is free', async () => {
  await publish(...hot(3_000))
  await publish(...range(0, 300).map((i) => `key ${i}`))
  const [holder, other] = [await consume(transport), await consume(open())]
  const [first] = (await take(holder, 1)) as [Received]
  expect(await drain(other)).toEqual(range(3_000, 3_300))
  expect(setAside()).toBeGreaterThan(2_000)

  await publish(...hot(500), 'last')
  expect(await drain(other)).toEqual([3_800])
  await acknowledge(holder, [first])
  expect(await drain(other)).toEqual([...range(1, 3_000), ...range(3_300, 3_800)])
  expect((await transport.admin.queues())[0]).toMatchObject({ depth: 0, inFlight: 0 })
})

test('what comes back stays before what is published later of its key', async () => {
  await publish(...hot(1_000), 'a')
  const [holder, other] = [await consume(transport), await consume(open())]
  const held = await take(holder, 10)
  expect(await drain(other)).toEqual([1_000])
  await publish('b', ...hot(2), 'b')
  await holder.settle(held.map((of) => ({ of, as: 'release' })))
  expect(setAside()).toBeGreaterThan(500)
  const taken = await drain(other, 300)
  expect(taken.filter((one) => one !== 1_001 && one !== 1_004)).toEqual([...range(0, 1_000), 1_002, 1_003])
  expect(taken).toHaveLength(1_004)
})

test('a parked key holds back its events that are aside, too', async () => {
  await publish(...hot(1_000), 'a')
  const [one, other] = [await consume(transport), await consume(open())]
  const [first] = (await take(one, 1)) as [Received]
  await one.settle([{ of: first, as: 'retry', delay: 600_000, park: true }])
  for (const session of [one, other]) expect(await drain(session)).toEqual(session === one ? [1_000] : [])
  expect(setAside()).toBeGreaterThan(500)
  hand.exec('UPDATE events SET due = 1 WHERE due IS NOT NULL')
  expect(await drain(other)).toEqual(range(0, 1_000))
})

test.each<Pick<Settlement, 'as' | 'delay'>>([
  { as: 'ack' },
  { as: 'retry', delay: 600_000 },
  { as: 'release', delay: 600_000 },
])('what stood behind an event comes back when that leaves the order: $as', async (settlement) => {
  await publish(...hot(1_000), 'a')
  const [holder, other] = [await consume(transport), await consume(open())]
  const [first] = (await take(holder, 1)) as [Received]
  expect(await drain(other)).toEqual([1_000])
  expect(setAside()).toBeGreaterThan(500)
  await holder.settle([{ of: first, ...settlement }])
  expect(await drain(other)).toEqual(range(1, 1_000))
})

test('what stood behind events whose holder ended comes back behind them', async () => {
  await publish(...hot(1_000), 'a')
  const [holder, other] = [await consume(transport), await consume(open())]
  await take(holder, 2)
  expect(await drain(other)).toEqual([1_000])
  hand.exec('UPDATE held SET lease = 0')
  for (const lapsed of [0, 1]) {
    const { received } = await other.exchange({ settle: [], max: 128, lapsed: 128 })
    expect(received.map(number)).toEqual([lapsed])
    await acknowledge(other, received)
  }
  expect(await drain(other)).toEqual(range(2, 1_000))
})

test('the backlogs of many parked keys are set aside, each however short', async () => {
  const keys = range(0, 400).map((i) => `down ${i}`)
  const session = await consume(transport)
  await publish(...keys)
  for (let heads = await take(session, 128); heads.length > 0; heads = await take(session, 128))
    await session.settle(heads.map((of) => ({ of, as: 'retry', delay: 600_000, park: true })))
  await publish(...keys, ...keys, ...keys, ...range(0, 300).map((i) => `free ${i}`))
  expect(await drain(session)).toEqual(range(1_600, 1_900))
  expect(setAside()).toBeGreaterThan(800)
  hand.exec('UPDATE events SET due = 1 WHERE due IS NOT NULL')
  const taken = await drain(session)
  for (const i of range(0, 400))
    expect(taken.filter((one) => one % 400 === i)).toEqual([i, i + 400, i + 800, i + 1_200])
})

test('events that are aside are counted, and go with their queue', async () => {
  await publish(...hot(1_000), 'a')
  const [holder, other] = [await consume(transport), await consume(open())]
  await take(holder, 1)
  await drain(other)
  expect((await transport.admin.queues())[0]).toMatchObject({ depth: 999, inFlight: 1 })
  expect(await transport.admin.removeQueue('orders')).toBe(1_000)
  expect(hand.prepare('SELECT count(*) AS n FROM events').get()).toEqual({ n: 0 })
})

/** The same numbers for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test.each([
  [1, 20, 0.6],
  [2, 20, 0.6],
  [3, 400, 0.1],
  [4, 400, 0.6],
  [5, 700, 0],
])(
  'whatever sessions do, no event overtakes one of its key (seed %d, %d keys)',
  async (seed, others, share) => {
    const random = seeded(seed)
    const pick = (n: number): number => Math.floor(random() * n)
    const anyKey = (): string => (random() < share ? 'hot' : `key ${pick(others)}`)
    const sessions = [await consume(transport), await consume(transport), await consume(open())]
    const held = new Map<Session, Map<string, Received[]>>(sessions.map((session) => [session, new Map()]))
    /** By key, the numbers of the events that are not settled yet, in their order. */
    const unsettled = new Map<string, number[]>()
    const publishSome = async (count: number): Promise<void> => {
      const keys = Array.from({ length: count }, anyKey)
      for (const [i, key] of keys.entries())
        unsettled.set(key, [...(unsettled.get(key) ?? []), published + i])
      await publish(...keys)
    }
    await publishSome(1_500)
    let left = 2_000
    for (let step = 0; left > 0; step++) {
      expect(step).toBeLessThan(2_000)
      if (step < 10) await publishSome(50)
      // The ends of waits and of holders come as they like.
      if (random() < 0.2) hand.exec('UPDATE events SET due = 1 WHERE due IS NOT NULL')
      if (random() < 0.02) {
        hand.exec('UPDATE held SET lease = 0')
        for (const own of held.values()) own.clear()
      }
      const session = sessions[pick(3)]!
      const own = held.get(session)!
      const settle: Settlement[] = []
      for (const [key, events] of own) {
        const handled = events.splice(0, Math.ceil(random() * events.length))
        settle.push(...handled.map((of) => ({ of, as: 'ack' as const })))
        unsettled.get(key)!.splice(0, handled.length)
        left -= handled.length
        if (random() < 0.8) continue
        // What stands behind an event that is given back is given back with it.
        const as: Settlement['as'] = random() < 0.5 ? 'retry' : 'release'
        const rest = events.splice(0)
        const delay = random() < 0.5 ? 600_000 : 0
        settle.push(
          ...rest.map((of, i): Settlement =>
            i === 0 ? { of, as, delay, park: true } : { of, as: 'release' },
          ),
        )
      }
      const { received } = await session.exchange({ settle, max: pick(200), lapsed: pick(50) })
      for (const event of received) {
        const key = event.key!
        if (!own.has(key)) own.set(key, [])
        own.get(key)!.push(event)
        // Whatever comes before it is with this session.
        expect(own.get(key)!.map(number)).toEqual(unsettled.get(key)!.slice(0, own.get(key)!.length))
      }
    }
    expect((await transport.admin.queues())[0]).toMatchObject({ depth: 0, inFlight: 0 })
  },
  60_000,
)
