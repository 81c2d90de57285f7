import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { faultyTransport } from '../../test/faulty-transport.ts'
import { canCollect, collect, grownOld } from '../../test/garbage.ts'
import { systemClock } from '../clock/clock.ts'
import { EventPublisher } from './publisher.ts'

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await turn()
}

const width = 256
const data = { text: 'x'.repeat(1_000) }

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
  let published = 0
  const publish = async (count: number, look = (): void => {}): Promise<void> => {
    const end = published + count
    const one = async (): Promise<void> => {
      while (published < end) {
        if (++published % 5_000 === 0) look()
        await publisher.publish('a.b', data)
      }
    }
    await Promise.all(Array.from({ length: width }, one))
  }
  await publish(20_000)
  expect(calls).toBeGreaterThan(50)
  expect(await grownOld((look) => publish(40_000, look))).toBeLessThan(4_000_000)
  await publisher.close()
})
