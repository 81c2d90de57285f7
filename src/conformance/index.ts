import { describe, test } from 'vitest'
import { runCase, themes } from './cases.ts'
import type { TransportUnderTest } from './harness.ts'

export type { TransportUnderTest } from './harness.ts'

/**
 * Registers the conformance suite with vitest: one test for each promise of the contract, adjusted to
 * `transport.features` and to nothing else. What does not apply is skipped with its reason. To be called at the top
 * of a test file.
 * @example testTransport('memory', { open: () => memory() })
 */
export function testTransport(name: string, under: TransportUnderTest): void {
  const timeout = 6 * (under.patience ?? 10_000)
  describe(`${name} keeps the contract of transports`, () => {
    const names = new Set(Object.values(themes).flatMap((cases) => cases.map((one) => one.name)))
    const strange = under.skip?.find(({ test: skipped }) => !names.has(skipped))
    if (strange !== undefined) throw new Error(`The suite has no case '${strange.test}' to skip`)
    for (const [theme, cases] of Object.entries(themes)) {
      describe(theme, () => {
        for (const one of cases) {
          test(one.name, { timeout }, async ({ skip }) => {
            const reason = await runCase(one, under)
            if (reason !== undefined) skip(reason)
          })
        }
      })
    }
  })
}
