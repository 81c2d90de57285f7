import { runOn, type Runnable } from '../run.ts'
import { StoreBench, type StoreCase, type StoreUnderTest } from './bench.ts'
import { conditions } from './conditions.ts'
import { ending } from './ending.ts'
import { expiring } from './expiring.ts'
import { keeping } from './keeping.ts'
import { sharing } from './sharing.ts'

/** All cases by theme. */
export const storeThemes: Readonly<Record<string, readonly Runnable<StoreUnderTest>[]>> = {
  keeping: keeping.map(onOneStore),
  conditions: conditions.map(onOneStore),
  expiring: expiring.map(onOneStore),
  ending: ending.map(onOneStore),
  'between processes': sharing,
}

/** Each case has a store of its own. */
function onOneStore(one: StoreCase): Runnable<StoreUnderTest> {
  const { name } = one
  const run: Runnable<StoreUnderTest>['run'] = (under) =>
    runOn(
      one,
      under,
      () => StoreBench.open(under),
      ({ store }) => one.unless?.(store.features, under),
    )
  return { name, run }
}
