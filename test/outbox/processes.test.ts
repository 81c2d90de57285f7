import { once } from 'node:events'
import { expect, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import type { MillraceEvent } from '../../src/index.ts'
import { openShop } from './shop.ts'
import { publishAll, startRelay, Witness } from './witness.ts'

const keys = 20
/** What a relay holds at most: one batch on its way, and one behind it. */
const held = 2 * 128

test('relays that are killed lose nothing, and keep the order by key', { timeout: 120_000 }, async () => {
  const shop = await openShop()
  const url = `sqlite:${shop.path}.events`
  const witness = new Witness(url)
  await witness.start()
  const publisher = shop.app({ transport: memory(), relay: false })
  const publish = (events: readonly MillraceEvent[], end: 'COMMIT' | 'ROLLBACK'): Promise<void> =>
    shop.transaction(end, (transaction) => publisher.publish(events, { transaction }))
  const relays = [await startRelay(shop.path, url), await startRelay(shop.path, url)]
  const publishing = publishAll(publish, 4_000, keys)
  let kills = 0
  for (const count of [500, 1_000, 1_500]) {
    await witness.seen(count)
    const relay = relays.shift()!
    relay.kill('SIGKILL')
    await once(relay, 'exit')
    kills++
    relays.push(await startRelay(shop.path, url))
  }
  const ids = await publishing
  await witness.seen(ids.length)
  witness.expectAll(ids, keys)
  expect(witness.arrivals - ids.length).toBeLessThanOrEqual(kills * held)
  await expect
    .poll(async () => (await publisher.queues()).find(({ name }) => name === 'millrace.outbox'), {
      timeout: 60_000,
    })
    .toMatchObject({ depth: 0, inFlight: 0, retrying: 0, dead: 0 })
})
