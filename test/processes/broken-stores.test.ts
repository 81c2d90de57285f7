import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { LocksUnderTest, StoreUnderTest } from '../../src/conformance/index.ts'
import { sharing as sharingLocks } from '../../src/conformance/locks/sharing.ts'
import { sharing as sharingStores } from '../../src/conformance/stores/sharing.ts'
import { flaws as flawsOfLocks, open as openLocks } from './broken-locks.ts'
import { flaws as flawsOfStores, open as openStore } from './broken-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-broken-stores-'))
const patience = 8_000
/** Where nothing is waited for in vain, a slow machine may take its time. */
const long = 60_000
let last = 0

afterAll(() => rm(folder, { recursive: true }))

/** By flaw: beginnings of the names of cases that must notice it. */
type Proofs = Readonly<Record<string, readonly string[]>>

const ofStores: Proofs = {
  'looks first and writes a moment later': ['4 processes that count', '4 processes that put'],
  'resolves a put before the system has it': ['what processes were told'],
}
const ofLocks: Proofs = {
  'gives each process a lock of its own': ['4 processes take turns', 'a holder that was killed'],
  'counts tokens in each process': ['4 processes take turns'],
  'holds a lock for much longer than its ttl': ['a holder that was killed', 'a process that was frozen'],
  'counts by the wall clock': ['a wall clock that is set'],
  'does not tell that a lock is lost': ['a process that was frozen'],
  'frees the lock of the next with a late release': ['a process that was frozen'],
}

/** The module and the place of a broken system. */
function broken(module: string, flaw: string): NonNullable<StoreUnderTest['processes']> {
  const path = join(folder, `${++last}.db`)
  return { module: new URL(module, import.meta.url), place: () => `${flaw}:${path}` }
}

const store = (flaw: string): StoreUnderTest => {
  const processes = broken('./broken-store.ts', flaw)
  return { open: (name) => openStore(String(processes.place()), name), processes, patience }
}
const locks = (flaw: string): LocksUnderTest => {
  const processes = broken('./broken-locks.ts', flaw)
  return { open: (name) => openLocks(String(processes.place()), name), processes, patience }
}

describe.each([
  ['a store that', ofStores, sharingStores, store, flawsOfStores] as const,
  ['locks that are wrong: it', ofLocks, sharingLocks, locks, flawsOfLocks] as const,
])('the suite notices %s', (_what, proofs, cases, under, flaws) => {
  const run = async (flaw: string, start: string, wait = patience): Promise<void> => {
    const one = cases.find(({ name }) => name.startsWith(start))
    if (one === undefined) expect.fail(`the suite has no case '${start}'`)
    expect(
      await one.run({ ...under(flaw), patience: wait } as StoreUnderTest & LocksUnderTest),
    ).toBeUndefined()
  }

  for (const [flaw, caughtBy] of Object.entries(proofs)) {
    test.each(caughtBy)(`${flaw}: %s`, { timeout: 120_000 }, async (start) => {
      await expect(run(flaw, start)).rejects.toThrow()
    })
  }

  test('every flaw is proved to be noticed, and every case to fail', () => {
    expect(['none', ...Object.keys(proofs)]).toEqual(Object.keys(flaws))
    const proved = Object.values(proofs).flat()
    expect(cases.filter(({ name }) => !proved.some((start) => name.startsWith(start)))).toEqual([])
  })

  test('the wrapper by itself breaks nothing', { timeout: 120_000 }, () => run('none', '4 processes', long))
})
