import { admin } from './admin.ts'
import { data } from './data.ts'
import { deadLetters } from './dead-letters.ts'
import { declaring } from './declaring.ts'
import { delaying } from './delaying.ts'
import { ending } from './ending.ts'
import { handling } from './handling.ts'
import { Bench, type Case, type TransportUnderTest } from './harness.ts'
import { leases } from './leases.ts'
import { order } from './order.ts'
import { parking } from './parking.ts'
import { publishing } from './publishing.ts'
import { runOn } from './run.ts'
import { running } from './running.ts'
import { settling } from './settling.ts'
import { transacting } from './transacting.ts'
import { transactions } from './transactions.ts'

/** All cases by theme. */
export const themes: Readonly<Record<string, readonly Case[]>> = {
  publishing,
  transactions,
  declaring,
  settling,
  leases,
  order,
  parking,
  delaying,
  'dead letters': deadLetters,
  data,
  admin,
  ending,
  handling,
  running,
  transacting,
}

/** Runs a case on a transport of its own. Rejects if it fails; resolves to the reason if it does not apply. */
export function runCase(one: Case, under: TransportUnderTest): Promise<string | undefined> {
  const open = (): Promise<Bench> => Bench.open(under)
  return runOn(one, under, open, ({ features }) => one.unless?.(features, under))
}
