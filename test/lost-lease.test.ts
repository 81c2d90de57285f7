import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
