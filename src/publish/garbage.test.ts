import { setImmediate as turn } from 'node:timers/promises'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { faultyTransport } from '../../test/faulty-transport.ts'
import { systemClock } from '../clock/clock.ts'
import { EventPublisher } from './publisher.ts'

/** The others collect in ways of their own, or do not let themselves be asked. */
const onNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined

type Collect = (options?: { readonly type: 'minor' }) => void

function collector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}

/** Bytes of what has grown old, which minor collections leave alone. */
function old(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith('new_'))
  return spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0)
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await turn()
}

const width = 256
const data = { text: 'x'.repeat(1_000) }

test.runIf(onNode)('an event that was taken does not grow old with those before it', async () => {
  const collect = collector()
  let calls = 0
  let safe = Promise.withResolvers<void>()
  const transport = faultyTransport({
    // As a system does that makes one batch safe while it writes the next.
    async publish(_call, _events, options) {
      // Makes old what is there now, with publishes under way.
      if (calls++ === 50) collect()
      const before = safe
      const mine = (safe = Promise.withResolvers())
      options?.placed?.()
      before.resolve()
      const idle = turns(100).then(mine.resolve)
      await Promise.race([mine.promise, idle])
    },
  })
  const publisher = new EventPublisher({ transport: async () => transport, clock: systemClock })
  let sizes: number[] = []
  const look = (): void => {
    collect({ type: 'minor' })
    sizes.push(old())
  }
  let published = 0
  const publish = async (count: number): Promise<void> => {
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
  sizes = []
  await publish(40_000)
  // It falls when there was a major collection, which does away with all this.
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(4_000_000)
  await publisher.close()
})
