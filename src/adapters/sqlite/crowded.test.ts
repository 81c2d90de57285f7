import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../clock/clock.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { SqliteTransport } from './sqlite-transport.ts'

test('a session takes more at a time while others keep it from writing, and as before when they have stopped', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-crowded-'))
  const path = join(folder, 'events.db')
  const transport = new SqliteTransport({
    path,
    durability: 'process',
    retention: 60_000,
    busyLimit: 10_000,
    clock: systemClock,
  })
  await transport.declare([
    { name: 'orders', subscriptions: [{ topic: 'order', pattern: '*' }], from: 'now', order: false },
  ])
  const session = await transport.open('orders', {
    lease: 60_000,
    order: false,
    clock: systemClock,
    notice() {},
    onRevoke() {},
    onLost() {},
  })
  const other = new DatabaseSync(path)
  onTestFinished(async () => {
    other.close()
    await transport.close()
    await rm(folder, { recursive: true })
  })
  await transport.publish(Array.from({ length: 20 }, () => encodeEvent(createEvent('order.placed', 1))))
  const exchange = (): Promise<unknown> => session.exchange({ settle: [], max: 1 })
  await exchange()
  expect(session.claim).toBe(128)
  other.exec('BEGIN IMMEDIATE')
  const waiting = exchange()
  other.exec('COMMIT')
  await waiting
  expect(session.claim).toBe(256)
  for (let n = 0; n < 15; n++) await exchange()
  expect(session.claim).toBe(256)
  await exchange()
  expect(session.claim).toBe(128)
})
