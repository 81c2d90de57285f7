import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import type { QueueSpec, Transport } from '../../contract/transport.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { sqlite } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-bulk-'))
afterAll(() => rm(folder, { recursive: true }))

/** How many rows one transaction may touch at most, and how many there are. */
const most = 1_000
const many = 4_500

let files = 0
let path: string
let transport: Transport
/** Somebody with the sqlite3 tool. */
let hand: DatabaseSync

const queue = (name: string, topic: string, from: QueueSpec['from'] = 'now'): QueueSpec => {
  return { name, subscriptions: [{ topic, pattern: '*' }], from, order: true }
}

beforeEach(async () => {
  path = join(folder, `${++files}.db`)
  transport = sqlite({ path, durability: 'process', retention: '1h' })
  onTestFinished(() => transport.close())
  await transport.declare([queue('orders', 'order')])
  hand = new DatabaseSync(path)
  onTestFinished(() => hand.close())
})

const event = (topic: string, data: unknown) =>
  encodeEvent(createEvent(`${topic}.happened`, data, { key: 'a' }))
const events = (topic: string, count: number) => Array.from({ length: count }, (_, i) => event(topic, i))
const count = (table: string): number =>
  hand.prepare(`SELECT count(*) AS n FROM ${table}`).get()!['n'] as number

/** By how many rows the table differs from one turn of the event loop to the next, while the work is going on. */
async function changes(table: string, work: Promise<unknown>): Promise<readonly number[]> {
  const counts = [count(table)]
  const isDone = work.then(() => true)
  const turn = () => new Promise<false>((resolve) => setImmediate(() => resolve(false)))
  while (!(await Promise.race([isDone, turn()]))) counts.push(count(table))
  counts.push(count(table))
  return counts.slice(1).flatMap((now, i) => (now === counts[i] ? [] : Math.abs(now - counts[i]!)))
}

function expectSteps(steps: readonly number[], sum: number): void {
  expect(steps.reduce((total, step) => total + step, 0)).toBe(sum)
  expect(Math.max(...steps)).toBeLessThanOrEqual(most)
}

test('removing a queue', async () => {
  await transport.publish(events('order', many))
  expectSteps(await changes('events', transport.admin.removeQueue('orders')), many)
})

test('removing a queue whose events become due meanwhile', async () => {
  await transport.publish(events('order', many))
  hand.exec('UPDATE events SET due = 1; DELETE FROM ready')
  const rest = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  const session = await transport.open('orders', { lease: 30_000, order: true, clock: systemClock, ...rest })
  const removing = transport.admin.removeQueue('orders')
  const consume = async (): Promise<never> => {
    for (;;) {
      await session.exchange({ settle: [], max: 10 })
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await expect(consume()).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' })
  expect([await removing, count('events'), count('held')]).toEqual([many, 0, 0])
})

test('sending dead letters back, and deleting them', async () => {
  await transport.publish(events('order', many))
  hand.exec(`INSERT INTO dead (queue, name, id, type, head, data, record)
    SELECT queue, id, id, type, head, data, '{}' FROM events; DELETE FROM events; DELETE FROM ready`)
  const letters = await transport.admin.deadLetters('orders', { limit: 2_000 })
  const names = letters.map(({ letter }) => letter)
  expectSteps(await changes('dead', transport.admin.redrive('orders', names)), 2_000)
  expectSteps(await changes('dead', transport.admin.purge('orders', undefined)), many - 2_000)
})

test('routing kept events anew', async () => {
  await transport.publish(events('customer', many))
  await transport.declare([queue('customers', 'customer')])
  expectSteps(await changes('unrouted', transport.admin.redriveUnrouted()), many)
})

test('handing kept events to a new queue; what is published meanwhile comes behind them', async () => {
  await transport.publish(events('customer', many))
  const declaring = transport.declare([queue('late', 'customer', 'beginning')])
  const watching = changes('unrouted', declaring)
  while (count('events') === 0) await new Promise((resolve) => setImmediate(resolve))
  await transport.publish([event('customer', 'meanwhile')])
  expect(Math.max(...(await watching))).toBeLessThanOrEqual(most)
  expect((await declaring).created).toEqual(['late'])
  await transport.publish([event('customer', 'afterwards')])
  const rest = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  const session = await transport.open('late', { lease: 30_000, order: true, clock: systemClock, ...rest })
  const { received } = await session.exchange({ settle: [], max: many + 10 })
  const data = received.map((one) => JSON.parse(one.data as string) as unknown)
  expect(data).toEqual([...Array.from({ length: many }, (_, i) => i), 'meanwhile', 'afterwards'])
})

test('a declare that was killed on the way is completed by the next', async () => {
  await transport.publish(events('customer', 3))
  // What a first step leaves behind.
  hand.exec("INSERT INTO queues (name, ordered) VALUES ('late', 1)")
  await transport.declare([queue('late', 'customer', 'beginning')])
  expect((await transport.admin.queues()).map(({ name, depth }) => [name, depth])).toEqual([
    ['late', 3],
    ['orders', 0],
  ])
})

test('dropping kept events whose time is over', async () => {
  await transport.publish(events('customer', many))
  hand.exec('UPDATE unrouted SET taken = 1')
  await transport.close()
  transport = sqlite({ path, durability: 'process', retention: '1h' })
  onTestFinished(() => transport.close())
  await transport.publish(events('customer', 100))
  expect(count('unrouted')).toBeGreaterThanOrEqual(many + 100 - most)
  while (count('unrouted WHERE taken = 1') > 0) await transport.publish(events('customer', 1))
})
