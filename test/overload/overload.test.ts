import { describe, expect, test } from 'vitest'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { breachesOf } from './judge.ts'
import { overload } from './overload.ts'
import type { Path } from './path.ts'
import { paths } from './paths.ts'
import { reportOf } from './report.ts'
import { startSystem } from './systems.ts'

/* Some paths for a moment; all of them, and five minutes of each, are for `npm run overload`. */

const short = 300
const timeout = 120_000
const named = (...names: readonly string[]): readonly Path[] =>
  paths.filter(({ name }) => names.includes(name))

async function expectPromisesKept(path: Path, url: string): Promise<void> {
  const result = await overload(path, url, short)
  expect(breachesOf(path, result), reportOf(path, result)).toEqual([])
}

describe('a producer that is faster than its consumers', () => {
  const soon = named(
    'memory.publish',
    'memory.dead',
    'sqlite.backlog',
    'sqlite.prefetch',
    'sqlite.retries',
    'sqlite.batch',
    'sqlite.outbox',
  )
  test.each(soon)('$name', { timeout }, async (path) => {
    await using system = await startSystem[path.system]()
    await expectPromisesKept(path, system.url)
  })
})

await describeWithPrivateServer('postgres', (server) => {
  const soon = named(
    'postgres.publish',
    'postgres.prefetch',
    'postgres.retries',
    'postgres.dead',
    'postgres.outbox',
  )
  test.each(soon)('$name', { timeout }, (path) => expectPromisesKept(path, server.url))
})

await describeWithPrivateServer('kafka', (server) => {
  test.each(named('kafka.dead'))('$name', { timeout }, (path) => expectPromisesKept(path, server.url))
})
