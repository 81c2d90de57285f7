import type { Settlement, SettleResult } from './transport.ts'

/** What a list of settlements came to, of those that were done. */
export interface Settled {
  readonly handled: number
  readonly failed: number
  /** Whether one of them may be handed out again. */
  readonly givenBack: boolean
  /** Whether one of them has a key. */
  readonly keyed: boolean
}

/** @param results undefined: all done */
export function settledOf(
  list: readonly Settlement[],
  results: readonly SettleResult[] | undefined,
): Settled {
  let handled = 0
  let failed = 0
  let givenBack = false
  let keyed = false
  // Not an iterator: this runs for each event.
  for (let i = 0; i < list.length; i++) {
    if (results !== undefined && results[i] !== 'done') continue
    const { as, of } = list[i]!
    if (as === 'ack') handled++
    else if (as !== 'release') failed++
    if (as === 'retry' || as === 'release') givenBack = true
    if (of.key !== undefined) keyed = true
  }
  return { handled, failed, givenBack, keyed }
}
