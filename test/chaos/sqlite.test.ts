import { test } from 'vitest'
import { expectPromisesKept } from './expect-promises-kept.ts'
import { sqlite } from './systems/sqlite.ts'

test('a file keeps its promises while everybody who uses it is killed', { timeout: 300_000 }, () =>
  expectPromisesKept(sqlite),
)
