import { describe, test } from 'vitest'
import { runCase, themes } from './cases.ts'
import type { TransportUnderTest } from './harness.ts'
import type { ProcessesUnderTest } from './processes/bench.ts'
import type { LocksUnderTest } from './locks/bench.ts'
import { locksThemes } from './locks/cases.ts'
import { processThemes, runProcessCase } from './processes/cases.ts'
import type { StoreUnderTest } from './stores/bench.ts'
import { storeThemes } from './stores/cases.ts'

export type { LocksUnderTest } from './locks/bench.ts'
export type { ModuleUnderTest } from './module.ts'
export type { StoreUnderTest } from './stores/bench.ts'
export type { CallersTransaction, TransportUnderTest } from './under-test.ts'
export type { ProcessesUnderTest } from './processes/bench.ts'

/**
 * Registers the conformance suite with vitest: one test for each promise of the contract, adjusted to
 * `transport.features` and to nothing else. What does not apply is skipped with its reason. To be called at the top
 * of a test file.
 * @example testTransport('memory', { open: () => memory() })
 */
export function testTransport(name: string, under: TransportUnderTest): void {
  register(`${name} keeps the contract of transports`, themes, under, runCase)
}

/**
 * Registers what the contract promises between processes: they are killed, frozen, stopped and started again. For
 * transports with `features.processes`; a minute or two. Called beside `testTransport`.
 * @example testProcesses('sqlite', { module: new URL('./open.ts', import.meta.url), place: () => '/tmp/suite.db' })
 */
export function testProcesses(name: string, under: ProcessesUnderTest): void {
  const patient = { patience: 30_000, ...under }
  register(`${name} keeps the contract of transports`, processThemes, patient, runProcessCase)
}

/**
 * Registers what the contract of stores promises, adjusted to `store.features` as `testTransport` does. With `processes` also what
 * only shows between these.
 * @example testStore('sqlite', { open: (name) => sqliteStore({ path: '/tmp/suite.db', name }) })
 */
export function testStore(name: string, under: StoreUnderTest): void {
  register(`${name} keeps the contract of stores`, storeThemes, under, (one, given) => one.run(given))
}

/**
 * Registers what the contract of locks promises, as `testStore` does. With `processes` also what only shows between these: they are
 * killed, frozen, and their clocks set.
 * @example testLocks('sqlite', { open: (name) => sqliteLocks({ path: '/tmp/suite.db', name }) })
 */
export function testLocks(name: string, under: LocksUnderTest): void {
  register(`${name} keeps the contract of locks`, locksThemes, under, (one, given) => one.run(given))
}

interface Limits {
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
  readonly patience?: number
}

function register<C extends { readonly name: string }, U extends Limits>(
  title: string,
  cases: Readonly<Record<string, readonly C[]>>,
  under: U,
  run: (one: C, under: U) => Promise<string | undefined>,
): void {
  const timeout = 6 * (under.patience ?? 10_000)
  describe(title, () => {
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
