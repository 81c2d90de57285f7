import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { engineRows } from './engine/rows.ts'
import { rows } from './rows.ts'
import { comparisonRows } from './sqlite/comparisons.ts'
import { enduranceRows } from './sqlite/endurance.ts'
import { keyRows } from './sqlite/keys.ts'
import { sqliteRelay } from './sqlite/relay.ts'
import { throughputRows } from './sqlite/throughput.ts'
import { tryRow } from './try-row.ts'

const withoutServers = [
  ...engineRows,
  ...throughputRows,
  ...keyRows,
  sqliteRelay,
  ...comparisonRows,
  ...enduranceRows,
]

// The benchmark is for the Node that comes with the project. Node 22 does not know `await using`.
const isTooOld = !('AsyncDisposableStack' in globalThis)

describe.skipIf(isTooOld)('can be measured', () => {
  test.for(withoutServers.map((row) => [row.name, row] as const))('%s', { timeout: 60_000 }, ([, row]) =>
    tryRow(row),
  )
})

test.skipIf(isTooOld)('--list names every row, and a row is known by its name alone', async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--list'])
  for (const { name } of rows) expect(stdout).toContain(`\n${name} `)
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
})
