import { runOn, type Runnable } from '../run.ts'
import { LocksBench, type LocksCase, type LocksUnderTest } from './bench.ts'
import { ending } from './ending.ts'
import { holding } from './holding.ts'
import { sharing } from './sharing.ts'
import { taking } from './taking.ts'
import { waiting } from './waiting.ts'

/** All cases by theme. */
export const locksThemes: Readonly<Record<string, readonly Runnable<LocksUnderTest>[]>> = {
  taking: taking.map(onOwnLocks),
  waiting: waiting.map(onOwnLocks),
  holding: holding.map(onOwnLocks),
  ending: ending.map(onOwnLocks),
  'between processes': sharing,
}

/** Each case has locks of its own. */
function onOwnLocks(one: LocksCase): Runnable<LocksUnderTest> {
  const { name } = one
  const run: Runnable<LocksUnderTest>['run'] = (under) =>
    runOn(
      one,
      under,
      () => LocksBench.open(under),
      ({ locks }) => one.unless?.(locks.features, under),
    )
  return { name, run }
}
