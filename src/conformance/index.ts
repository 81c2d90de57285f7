import { describe, test } from 'vitest'
import { Bench, type Case, type TransportUnderTest } from './harness.ts'
import { publishing } from './publishing.ts'
import { settling } from './settling.ts'

export type { Case, TransportUnderTest } from './harness.ts'

const themes: Readonly<Record<string, readonly Case[]>> = { publishing, settling }

/**
 * Registers the conformance suite with vitest: one test for each promise of the contract, adjusted to
 * `transport.features` and to nothing else. To be called at the top of a test file.
 * @example testTransport('memory', { open: () => memory() })
 */
export function testTransport(name: string, under: TransportUnderTest): void {
  const patience = under.patience ?? 10_000
  describe(`${name} keeps the contract of transports`, () => {
    for (const [theme, cases] of Object.entries(themes)) {
      describe(theme, () => {
        for (const one of cases) {
          test(one.name, { timeout: 6 * patience }, async ({ skip }) => {
            const excuse = under.skip?.find(({ test: skipped }) => skipped === one.name)
            if (excuse !== undefined) skip(excuse.reason)
            const bench = await Bench.open(under)
            try {
              const reason = one.unless?.(bench.features)
              if (reason !== undefined) skip(reason)
              await one.run(bench)
            } finally {
              await bench.close()
            }
          })
        }
      })
    }
  })
}
