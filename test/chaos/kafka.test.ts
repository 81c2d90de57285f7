import { test } from 'vitest'
import { describeWithProxiedServer } from '../servers/describe-with-server.ts'
import { expectPromisesKept } from './expect-promises-kept.ts'
import { brokerOn, kafka } from './systems/kafka.ts'

await describeWithProxiedServer('kafka', (server) => {
  test('a broker keeps its promises while everybody who uses it is killed', { timeout: 400_000 }, () =>
    expectPromisesKept({ ...kafka, start: async () => brokerOn(server) }),
  )
})
