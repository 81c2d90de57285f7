import { test } from 'vitest'
import { describeWithProxiedServer } from '../servers/describe-with-server.ts'
import { expectPromisesKept } from './expect-promises-kept.ts'
import { outbox, outboxOn } from './systems/outbox.ts'

await describeWithProxiedServer('postgres', (server) => {
  test('an outbox keeps its promises while everybody who uses it is killed', { timeout: 400_000 }, () =>
    expectPromisesKept({ ...outbox, start: (folder) => outboxOn(server, folder) }),
  )
})
