import { expect, test } from 'vitest'
import { summaryOf, type RuntimeRun } from '../scripts/test-matrix-summary.ts'

function run(
  name: string,
  status: number | null,
  tests: Readonly<Record<string, string>>,
  file = 'passed',
): RuntimeRun {
  const assertionResults = Object.entries(tests).map(([fullName, of]) => ({ fullName, status: of }))
  return {
    name,
    status,
    minutes: 1,
    results: { testResults: [{ name: 'a.test.ts', status: file, assertionResults }] },
  }
}

test('a case that failed or was skipped is named once, with the runtimes where it did', () => {
  const summary = summaryOf([
    run('node', 1, { 'adds up': 'passed', 'is quick': 'failed', 'needs a server': 'skipped' }, 'failed'),
    run('bun', 0, { 'adds up': 'passed', 'is quick': 'passed', 'needs a server': 'pending' }),
  ])
  expect(summary).toMatch(/node +│ 1 +│ 1 +│ 1 +│ 1\.0 +│ 1 /)
  expect(summary).toMatch(/bun +│ 2 +│ 0 +│ 1 +│ 1\.0 +│ 0 /)
  expect(summary).toMatch(/failed:\n  is quick \(node\)\n\nskipped:\n  needs a server$/)
})

test('a file that could not be loaded is a failure', () => {
  expect(summaryOf([run('node', 1, {}, 'failed')])).toMatch(/failed:\n  a\.test\.ts$/)
})

test.for([
  ['left no report', { name: 'node', status: 1, minutes: 1, results: undefined }],
  ['did not end', run('node', null, { 'adds up': 'passed' })],
  ['failed outside their tests', run('node', 1, { 'adds up': 'passed' })],
] as const)('tests that %s have failed', ([, one]) => {
  expect(summaryOf([one])).toMatch(/failed:\n  something outside the tests, see above$/)
})
