import { describe, expect, test } from 'vitest'
import { brokenTransport } from '../../test/sabotage/broken-transport.ts'
import { consuming } from '../../test/sabotage/consuming.ts'
import { ending } from '../../test/sabotage/ending.ts'
import { operating } from '../../test/sabotage/operating.ts'
import { publishing } from '../../test/sabotage/publishing.ts'
import { TransactionalMemory, transactions } from '../../test/sabotage/transactions.ts'
import { MemoryTransport } from '../adapters/memory/memory-transport.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { runCase, themes } from './cases.ts'
import type { Case, TransportUnderTest } from './harness.ts'

const named = (lists: typeof themes) =>
  Object.values(lists).flatMap((list) => list.map((one) => [one.name, one] as const))
const cases = new Map(named(themes))
/** The cases that look at a transport by itself. Most of those that run an app on it are proved by the engine's own tests. */
const { handling: _handling, running: _running, ...ofDrivers } = themes
const casesOfDrivers = new Map(named(ofDrivers))
const proofs = { ...publishing, ...consuming, ...operating, ...ending, ...transactions }

/** Memory with a clock that waits for nobody, broken or not; and little patience. */
function memoryFor(one: Case, by: (typeof proofs)[string]['by'] = {}): TransportUnderTest {
  const clock = manualClock()
  const under = { clock, patience: 100, watch: 5 }
  if (themes['transactions']?.includes(one) !== true)
    return { ...under, open: () => brokenTransport(new MemoryTransport({ clock }), by) }
  const memory = new TransactionalMemory({ clock })
  return { ...under, open: () => brokenTransport(memory, by), begin: () => memory.begin() }
}

describe('the suite notices a transport that', () => {
  for (const [name, { by, caughtBy }] of Object.entries(proofs)) {
    test(name, async () => {
      for (const caught of caughtBy) {
        const one = cases.get(caught)
        if (one === undefined) expect.fail(`the suite has no case '${caught}'`)
        await expect(runCase(one, memoryFor(one, by)), caught).rejects.toThrow()
      }
    })
  }
})

test('the wrapper by itself breaks nothing', async () => {
  for (const caught of new Set(Object.values(proofs).flatMap(({ caughtBy }) => caughtBy))) {
    const one = cases.get(caught) as Case
    // Nothing is waited for in vain, so a slow machine may take its time.
    await runCase(one, { ...memoryFor(one), patience: 10_000 })
  }
})

test('every case that applies to memory can fail', async () => {
  const proved = new Set(Object.values(proofs).flatMap(({ caughtBy }) => caughtBy))
  const unproved: string[] = []
  for (const one of casesOfDrivers.values()) {
    if (!proved.has(one.name) && (await runCase(one, memoryFor(one))) === undefined) unproved.push(one.name)
  }
  expect(unproved).toEqual([])
})
