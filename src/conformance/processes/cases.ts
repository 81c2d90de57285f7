import { runOn } from '../run.ts'
import { ProcessBench, type ProcessCase, type ProcessesUnderTest } from './bench.ts'
import { crashing } from './crashing.ts'
import { holding } from './holding.ts'
import { sharing } from './sharing.ts'
import { stopping } from './stopping.ts'

/** All cases by theme. */
export const processThemes: Readonly<Record<string, readonly ProcessCase[]>> = {
  'processes that share': sharing,
  'processes that die': crashing,
  'processes that come too late': holding,
  'processes that stop': stopping,
}

/** Runs a case on a queue of its own. Rejects if it fails; resolves to the reason if it does not apply. */
export function runProcessCase(one: ProcessCase, under: ProcessesUnderTest): Promise<string | undefined> {
  const open = (): Promise<ProcessBench> => ProcessBench.open(under, one.order ?? false)
  return runOn(one, under, open, ({ features }) => one.unless?.(features))
}
