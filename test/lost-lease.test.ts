import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../src/adapters/sqlite/index.ts'
import { createEvent, millrace, type App, type QueueOptions } from '../src/index.ts'
import { faultyTransport } from './faulty-transport.ts'
import { lines, signal } from './signals.ts'

const byKey: QueueOptions = { order: { by: 'key' }, lease: 200, retry: { attempts: 5 } }

test('who has lost an event starts none that waits behind it in its key: it is with somebody else', async () => {
  let cutOff = true
  const folder = mkdtempSync(join(tmpdir(), 'millrace-lost-lease-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const transport = faultyTransport(
    {},
    { extend: (extend, ...args) => (cutOff ? Promise.reject(new Error('cut')) : extend(...args)) },
    sqlite(join(folder, 'q.db')),
  )
  const log: string[] = []
  const { logger, saying } = lines()
  const consumer = (name: string, handle: (id: string) => Promise<void>): App => {
    const app = millrace({ transport, logger })
    onTestFinished(() => app.stop({ timeout: 0 }))
    app.queue('q', byKey).on('a.b', ({ id }) => {
      log.push(`${name} ${id}`)
      return handle(id)
    })
    return app
  }
  const [begun, late, takenOver, over, last] = [signal(), signal(), signal(), signal(), signal()]
  const first = consumer('first', async (id) => {
    if (id === '2') return last.give()
    begun.give()
    await late.come
  })
  const second = consumer('second', async (id) => {
    if (id === '2') return last.give()
    takenOver.give()
    await over.come
    log.push('over')
  })
  await first.start()
  await first.publish(['1', '2'].map((id) => createEvent('a.b', id, { id, key: 'k' })))
  await begun.come
  await second.start()
  await takenOver.come
  cutOff = false
  await saying('lost its lease')
  late.give()
  await saying('handled too late')
  expect(log).toEqual(['first 1', 'second 1'])
  over.give()
  await last.come
  expect(log).toEqual(['first 1', 'second 1', 'over', expect.stringMatching(/^(?:first|second) 2$/)])
})

test('nothing is claimed while many are given back one by one: an event would overtake those of its key that come later', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-lost-leases-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'q.db')
  const { logger, saying } = lines()
  const app = millrace({ transport: sqlite({ path, durability: 'process' }), logger })
  onTestFinished(() => app.stop({ timeout: 0 }))
  const [held, late] = [signal(), signal()]
  const order: number[] = []
  app
    .queue('q', { order: { by: 'key' }, prefetch: 210, concurrency: 8, lease: 1_000 })
    .on('a.b', async ({ key, data }) => {
      if (data === 1) {
        held.give()
        await late.come
      } else if (key === 'b') order.push(data as number)
    })
  const event = (key: string, n: number) => createEvent('a.b', n, { key })
  const events = (key: string, last: number) => Array.from({ length: last - 1 }, (_, i) => event(key, i + 2))
  await app.publish([event('a', 1), event('b', 1), ...events('a', 100), ...events('b', 300)])
  await app.start()
  await held.come
  // Another process has taken over the first of a, and works on it; it took over the first of b, too, and has handled it.
  const other = new DatabaseSync(path)
  other.exec(`UPDATE held SET holder = 1, claim = 1, lease = lease + 100000 WHERE seq = 1;
    DELETE FROM held WHERE seq = 2; DELETE FROM events WHERE seq = 2`)
  other.close()
  await saying('lost its lease')
  late.give()
  await expect.poll(() => order.length, { timeout: 10_000 }).toBe(299)
  expect(order).toEqual(order.toSorted((one, two) => one - two))
})
