import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { ProcessesUnderTest } from '../../src/conformance/index.ts'
import { processThemes, runProcessCase } from '../../src/conformance/processes/cases.ts'
import { flaws } from './broken-sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-broken-processes-'))
const cases = new Map(Object.values(processThemes).flatMap((list) => list.map((one) => [one.name, one])))

/** By flaw: beginnings of the names of cases that must notice it. */
const proofs: Readonly<Record<string, readonly string[]>> = {
  'resolves a publish before the system has it': [
    'what a publisher was told is taken',
    'a stop in the middle',
  ],
  'takes a publish twice': ['2 processes on one queue', '4 processes', 'processes that come and go cleanly'],
  'has no order by key': ['events of one key run one after the other'],
  'never ends a lease': [
    'the event of a consumer that was killed',
    'a consumer that was killed with a backlog',
    'a process that was frozen beyond its lease and then succeeds',
    'an event loop that is blocked',
    'a handler that ignores its signal',
  ],
  'counts leases by the wall clock': ['a wall clock that is set by an hour'],
  'forgets the failures of an event': ['a handler that never ends'],
  'gives several lapsed events at once': ['one event that kills every process'],
  'counts a crash among others': ['the event of a consumer that was killed'],
  'takes a settlement that is too late': ['a process that was frozen beyond its lease and then fails'],
}

let last = 0
const broken = (flaw: string): ProcessesUnderTest => {
  const path = join(folder, `${++last}.db`)
  return {
    module: new URL('./broken-sqlite.ts', import.meta.url),
    place: () => `${flaw}:${path}`,
    patience: 8_000,
  }
}

afterAll(() => rm(folder, { recursive: true }))

describe.concurrent('the suite notices processes on a transport that', () => {
  for (const [flaw, caughtBy] of Object.entries(proofs)) {
    for (const start of caughtBy) {
      test(`${flaw}: ${start}`, { timeout: 120_000 }, async () => {
        const name = [...cases.keys()].find((one) => one.startsWith(start))
        if (name === undefined) expect.fail(`the suite has no case '${start}'`)
        await expect(runProcessCase(cases.get(name)!, broken(flaw))).rejects.toThrow()
      })
    }
  }
})

test('every flaw is proved to be noticed, and every case to fail', () => {
  expect(['none', ...Object.keys(proofs)]).toEqual(Object.keys(flaws))
  const proved = Object.values(proofs).flat()
  expect([...cases.keys()].filter((name) => !proved.some((start) => name.startsWith(start)))).toEqual([])
})

test('the wrapper by itself breaks nothing', { timeout: 120_000 }, async () => {
  const name = [...cases.keys()].find((one) => one.startsWith('processes that come and go'))!
  await runProcessCase(cases.get(name)!, broken('none'))
})
