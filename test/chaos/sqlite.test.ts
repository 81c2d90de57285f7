import { test } from 'vitest'
import { expectOrder } from './expect-order.ts'
import { sqlite } from './systems/sqlite.ts'

test('a file keeps its promises while everybody who uses it is killed', { timeout: 300_000 }, () =>
  expectOrder(sqlite),
)
