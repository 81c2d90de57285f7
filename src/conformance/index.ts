import { describe, test } from 'vitest'
import { runCase, themes } from './cases.ts'
import type { TransportUnderTest } from './harness.ts'
import type { ProcessesUnderTest } from './processes/bench.ts'
import { processThemes, runProcessCase } from './processes/cases.ts'

export type { CallersTransaction, TransportUnderTest } from './under-test.ts'
export type { ProcessesUnderTest } from './processes/bench.ts'

/**
 * Registers the conformance suite with vitest: one test for each promise of the contract, adjusted to
 * `transport.features` and to nothing else. What does not apply is skipped with its reason. To be called at the top
 * of a test file.
 * @example testTransport('memory', { open: () => memory() })
 */
export function testTransport(name: string, under: TransportUnderTest): void {
  register(name, themes, under, runCase)
}

/**
 * Registers what the contract promises between processes: they are killed, frozen, stopped and started again. For
 * transports with `features.processes`; a minute or two. Called beside `testTransport`.
 * @example testProcesses('sqlite', { module: new URL('./open.ts', import.meta.url), place: () => '/tmp/suite.db' })
 */
export function testProcesses(name: string, under: ProcessesUnderTest): void {
  register(name, processThemes, { patience: 30_000, ...under }, runProcessCase)
}

interface Limits {
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
  readonly patience?: number
}

function register<C extends { readonly name: string }, U extends Limits>(
  name: string,
  cases: Readonly<Record<string, readonly C[]>>,
  under: U,
  run: (one: C, under: U) => Promise<string | undefined>,
): void {
  const timeout = 6 * (under.patience ?? 10_000)
  describe(`${name} keeps the contract of transports`, () => {
    const names = new Set(Object.values(cases).flatMap((list) => list.map((one) => one.name)))
    const strange = under.skip?.find(({ test: skipped }) => !names.has(skipped))
    if (strange !== undefined) throw new Error(`The suite has no case '${strange.test}' to skip`)
    for (const [theme, list] of Object.entries(cases)) {
      describe(theme, () => {
        for (const one of list) {
          test(one.name, { timeout }, async ({ skip }) => {
            const reason = await run(one, under)
            if (reason !== undefined) skip(reason)
          })
        }
      })
    }
  })
}
