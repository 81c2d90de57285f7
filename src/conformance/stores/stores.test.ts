import { describe, expect, test } from 'vitest'
import { brokenStore, stores, type StoreProof } from '../../../test/sabotage/broken-store.ts'
import { MemoryStore } from '../../adapters/memory/memory-store.ts'
import { manualClock } from '../../clock/manual-clock.ts'
import { storeOn } from '../../contract/store-on.ts'
import type { StoreFeatures } from '../../contract/store.ts'
import type { StoreUnderTest } from './bench.ts'
import { storeThemes } from './cases.ts'

const cases = new Map(Object.values(storeThemes).flatMap((list) => list.map((one) => [one.name, one])))
const proved = new Set(Object.values(stores).flatMap(({ caughtBy }) => caughtBy))

/** Goes on when one of its instances is closed. */
class LastingStore extends MemoryStore {
  override async close(): Promise<void> {}
}

/** Every put and delete strikes whatever is there. */
class PlainStore extends LastingStore {
  override readonly features: StoreFeatures = { ...new MemoryStore().features, atomic: false }
}

/** Memory with a clock that waits for nobody, and two instances of each store; broken or not. */
function memoryWith(
  by: ReturnType<StoreProof['by']> = () => ({}),
  Kind: typeof LastingStore = LastingStore,
): StoreUnderTest {
  const clock = manualClock()
  let driver = new Kind({ clock })
  const instance = () => brokenStore(storeOn(driver), by)
  const open = () => {
    driver = new Kind({ clock })
    return instance()
  }
  return { open, reopen: instance, clock, patience: 100 }
}

describe('the suite notices a store that', () => {
  for (const [name, { by, caughtBy }] of Object.entries(stores)) {
    test.each(caughtBy)(`${name}: %s`, async (caught) => {
      const one = cases.get(caught)
      if (one === undefined) expect.fail(`the suite has no case '${caught}'`)
      await expect(one.run(memoryWith(by()))).rejects.toThrow()
    })
  }
})

test('the wrapper by itself breaks nothing, and every case that applies to memory can fail', async () => {
  const unproved: string[] = []
  for (const one of cases.values())
    if ((await one.run(memoryWith())) === undefined && !proved.has(one.name)) unproved.push(one.name)
  expect(unproved).toEqual([])
})

test('a store that is not atomic passes, without the cases about conditions', async () => {
  const plain = [...cases.values()].map(async (one) => [
    one.name,
    await one.run(memoryWith(undefined, PlainStore)),
  ])
  const skipped = (await Promise.all(plain)).filter(([, reason]) => reason === 'features.atomic is false')
  expect(skipped).toHaveLength(8)
})
