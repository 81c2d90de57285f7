import { describe, expect, test } from 'vitest'
import { brokenLocks, locks, type LocksSabotage } from '../../../test/sabotage/broken-locks.ts'
import { MemoryLocks } from '../../adapters/memory/memory-locks.ts'
import { manualClock } from '../../clock/manual-clock.ts'
import { locksOn } from '../../contract/locks-on.ts'
import type { LocksUnderTest } from './bench.ts'
import { locksThemes } from './cases.ts'
import type { LocksLine } from './protocol.ts'
import { expectTurns } from './sharing.ts'

const cases = new Map(Object.values(locksThemes).flatMap((list) => list.map((one) => [one.name, one])))
const proved = new Set(Object.values(locks).flatMap(({ caughtBy }) => caughtBy))

/** Go on when one of their instances is closed. */
class LastingLocks extends MemoryLocks {
  override async close(): Promise<void> {}
}

/** Memory with a clock that waits for nobody, and two instances of the same locks; broken or not. */
function memoryWith(by: LocksSabotage = {}): LocksUnderTest {
  const clock = manualClock()
  let driver = new LastingLocks({ clock })
  const instance = () => brokenLocks(locksOn(driver, clock), driver, by)
  const open = () => {
    driver = new LastingLocks({ clock })
    return instance()
  }
  return { open, reopen: instance, clock, patience: 100 }
}

describe('the suite notices locks that are wrong: it', () => {
  for (const [name, { by, caughtBy }] of Object.entries(locks)) {
    test.each(caughtBy)(`${name}: %s`, async (caught) => {
      const one = cases.get(caught)
      if (one === undefined) expect.fail(`the suite has no case '${caught}'`)
      await expect(one.run(memoryWith(by))).rejects.toThrow()
    })
  }
})

test('the wrapper by itself breaks nothing, and every case that applies to memory can fail', async () => {
  const unproved: string[] = []
  for (const one of cases.values())
    if ((await one.run(memoryWith())) === undefined && !proved.has(one.name)) unproved.push(one.name)
  expect(unproved).toEqual([])
})

describe('a history of turns', () => {
  const history = (...said: readonly [LocksLine['what'], number][]): readonly LocksLine[] =>
    said.map(([what, token], at) => ({ what, at, token }))

  test.each([
    ['turns', 2, history(['in', 1], ['out', 1], ['in', 2], ['out', 2])],
    ['one that was killed', 2, history(['in', 1], ['in', 2], ['out', 2])],
  ])('%s pass', (_what, count, lines) => expectTurns(lines, count))

  test.each([
    ['two at once', 2, history(['in', 1], ['in', 2], ['out', 1], ['out', 2])],
    ['one within another', 2, history(['in', 1], ['in', 2], ['out', 2], ['out', 1])],
    ['a token twice', 2, history(['in', 1], ['out', 1], ['in', 1], ['out', 1])],
    ['a lower token', 2, history(['in', 2], ['out', 2], ['in', 1], ['out', 1])],
    ['a lock that was lost', 1, history(['in', 1], ['lost', 1], ['out', 1])],
    ['too few turns', 2, history(['in', 1], ['out', 1])],
  ])('%s do not', (_what, count, lines) => {
    expect(() => expectTurns(lines, count)).toThrow()
  })
})
