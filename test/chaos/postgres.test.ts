import { test } from 'vitest'
import { describeWithProxiedServer } from '../servers/describe-with-server.ts'
import { expectPromisesKept } from './expect-promises-kept.ts'
import { databaseOn, postgres } from './systems/postgres.ts'

await describeWithProxiedServer('postgres', (server) => {
  test('a database keeps its promises while everybody who uses it is killed', { timeout: 400_000 }, () =>
    expectPromisesKept({ ...postgres, start: async (folder) => databaseOn(server, folder) }),
  )
})
