import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { faultyTransport } from '../../test/faulty-transport.ts'
import { canCollect, collect, grownOld } from '../../test/garbage.ts'
import { systemClock } from '../clock/clock.ts'
import type { PublishOptions } from '../contract/publishing.ts'
import { EventPublisher } from './publisher.ts'

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await turn()
}

const width = 256
const data = { text: 'x'.repeat(1_000) }

/** Publishes so many, some at a time, and looks now and then. */
function publishing(
  publisher: EventPublisher,
  options: PublishOptions = {},
): (count: number, look?: () => void) => Promise<void> {
  let published = 0
  return async (count, look = () => {}) => {
    const end = published + count
    const one = async (): Promise<void> => {
      while (published < end) {
        if (++published % 5_000 === 0) look()
        await publisher.publish('a.b', data, options)
      }
    }
    await Promise.all(Array.from({ length: width }, one))
  }
}

test.runIf(canCollect)('an event that was taken does not grow old with those before it', async () => {
  let calls = 0
  let safe = Promise.withResolvers<void>()
  const transport = faultyTransport({
    // As a system does that makes one batch safe while it writes the next.
    async publish(_call, _events, options) {
      // Makes old what is there now, with publishes under way.
      if (calls++ === 50) collect('major')
      const before = safe
      const mine = (safe = Promise.withResolvers())
      options?.placed?.()
      before.resolve()
      const idle = turns(100).then(mine.resolve)
      await Promise.race([mine.promise, idle])
    },
  })
  const publisher = new EventPublisher({ transport: async () => transport, clock: systemClock })
  const publish = publishing(publisher)
  await publish(20_000)
  expect(calls).toBeGreaterThan(50)
  expect(await grownOld((look) => publish(40_000, look))).toBeLessThan(4_000_000)
  await publisher.close()
})

test.runIf(canCollect)('nor does one that was published in a transaction', async () => {
  const plain = faultyTransport({ publish: () => turn() })
  const features = { ...plain.features, transactions: true }
  const transport = new Proxy(plain, {
    get: (target, name) => (name === 'features' ? features : Reflect.get(target, name)),
  })
  const publisher = new EventPublisher({ transport: async () => transport, clock: systemClock })
  const publish = publishing(publisher, { transaction: {} })
  await publish(10_000)
  // Makes old what is there now.
  collect('major')
  expect(await grownOld((look) => publish(40_000, look))).toBeLessThan(15_000_000)
  await publisher.close()
})
