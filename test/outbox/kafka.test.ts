import { expect, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import type { MillraceEvent } from '../../src/index.ts'
import { openShop } from './shop.ts'
import { publishAll, startRelay, Witness } from './witness.ts'

const keys = 20

await describeWithPrivateServer('kafka', (server) => {
  test(
    'what is committed arrives on Kafka by key in its order, though the broker is killed in the middle',
    { timeout: 180_000 },
    async () => {
      const shop = await openShop()
      const url = `${server.url}?partitions=4`
      const witness = new Witness(url)
      await witness.start()
      const publisher = shop.app({ transport: memory(), relay: false })
      const publish = (events: readonly MillraceEvent[], end: 'COMMIT' | 'ROLLBACK'): Promise<void> =>
        shop.transaction(end, (transaction) => publisher.publish(events, { transaction }))
      await startRelay(shop.path, url)
      const publishing = publishAll(publish, 4_000, keys)
      await witness.seen(800)
      await server.stop('SIGKILL')
      await publishing
      await server.start()
      const ids = await publishing
      await witness.seen(ids.length)
      witness.expectAll(ids, keys)
      await expect
        .poll(async () => (await publisher.queues()).find(({ name }) => name === 'millrace.outbox'), {
          timeout: 60_000,
        })
        .toMatchObject({ depth: 0, inFlight: 0, dead: 0 })
    },
  )
})
