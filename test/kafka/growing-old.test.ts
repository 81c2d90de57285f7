import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { numbers } from '../../src/conformance/harness.ts'
import type { Received, Settlement } from '../../src/contract/transport.ts'
import { canCollect, collect, grownOld } from '../garbage.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, newName, open, spec } from './sessions.ts'

const count = 40_000
const part = 10_000
const claim = 128
const text = 'x'.repeat(1_000)

await describeWithServer('kafka', (url) => {
  test.runIf(canCollect)(
    'what was settled does not grow old with what came before it',
    { timeout: 60_000 },
    async () => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      await using transport = kafkaFromUrl(`${url}?partitions=2`)
      await transport.declare([spec(queue, topic)])
      for (let n = 0; n < count; n += 1_000)
        await transport.publish(numbers(1_000).map((i) => event(topic, { n: n + i, text })))
      const session = await open(transport, queue)
      let taken = 0
      let held: readonly Received[] = []
      /** As under load: while some are settled, others are held. */
      const takeUpTo = async (end: number, look = (): void => {}): Promise<void> => {
        for (let exchanges = 1; taken < end; exchanges++) {
          const settle = held.slice(0, -claim).map((of): Settlement => ({ of, as: 'ack' }))
          const { received } = await session.exchange({ settle, max: claim })
          held = [...held.slice(settle.length), ...received]
          taken += received.length
          if (received.length === 0) await session.ready(AbortSignal.timeout(30_000))
          if (exchanges % 16 === 0) look()
        }
      }
      const grown: number[] = []
      for (let end = part; end <= count; end += part) {
        // Makes old what is there now.
        collect('major')
        grown.push(await grownOld((look) => takeUpTo(end, look)))
      }
      // What a fetch brought may live for long, whoever held it.
      expect(Math.min(...grown)).toBeLessThan((part * text.length) / 1.25)
      await session.close()
    },
  )
})
