import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafka } from '../src/adapters/kafka/index.ts'
import { memory } from '../src/adapters/memory/index.ts'
import { postgres } from '../src/adapters/postgres/index.ts'
import { sqlite } from '../src/adapters/sqlite/index.ts'
import type { Features } from '../src/contract/features.ts'

/*
 * Makes docs/transports/matrix.md: what each transport says of itself, and what the conformance suite saw it keep.
 * `npm run docs:matrix` runs the suite for it; a test compares the first half of the page with the code.
 */

const page = new URL('../docs/transports/matrix.md', import.meta.url)
const transports: Readonly<Record<string, Features>> = {
  memory: memory().features,
  sqlite: sqlite('any.db').features,
  postgres: postgres('postgres://localhost/any').features,
  kafka: kafka({ brokers: ['localhost:9092'] }).features,
}
const betweenProcesses = /^processes /
const processes = (name: string): boolean => transports[name]?.processes ?? false
const suite = / keeps the contract of transports$/

/** The features of all transports as a table. */
export function featuresTable(): string {
  const names = Object.keys(transports)
  const keys = Object.keys(Object.values(transports)[0] ?? {}) as (keyof Features)[]
  const rows = keys.map((key) => [`\`${key}\``, ...names.map((name) => shown(transports[name]?.[key]))])
  return table(['', ...names], rows)
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'no' : value.join(', ')
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return value === undefined ? '' : String(value)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

interface Result {
  readonly ancestorTitles: readonly string[]
  readonly title: string
  readonly status: string
}

/** Runs the suite on every transport; the first describe of a file that is called by the transport's name counts. */
function runSuite(): readonly Result[] {
  const file = join(mkdtempSync(join(tmpdir(), 'millrace-matrix-')), 'results.json')
  const filter = ['-t', 'keeps the contract of transports', '--reporter=json', `--outputFile=${file}`]
  execFileSync('vitest', ['run', 'src/adapters', 'test/processes', ...filter], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const { testResults } = JSON.parse(readFileSync(file, 'utf8')) as {
    testResults: readonly { readonly assertionResults: readonly Result[] }[]
  }
  return testResults.flatMap((one) => one.assertionResults)
}

const marks: Readonly<Record<string, string>> = {
  passed: 'kept',
  failed: '**broken**',
  skipped: '–',
  pending: '–',
}

function promisesTables(results: readonly Result[]): string {
  const names = Object.keys(transports)
  const themes = new Map<string, Map<string, Map<string, string>>>()
  for (const { ancestorTitles, title, status } of results) {
    const at = ancestorTitles.findIndex((one) => suite.test(one))
    const theme = ancestorTitles[at + 1]
    const name = ancestorTitles[at]?.replace(suite, '')
    if (theme === undefined || name === undefined || !names.includes(name)) continue
    const promises = themes.get(theme) ?? new Map<string, Map<string, string>>()
    themes.set(theme, promises)
    promises.set(title, (promises.get(title) ?? new Map<string, string>()).set(name, marks[status] ?? status))
  }
  return [...themes]
    .map(([theme, promises]) => {
      const rows = [...promises].map(([promise, by]) => [
        promise,
        ...names.map(
          (name) => by.get(name) ?? (betweenProcesses.test(theme) && !processes(name) ? '–' : 'not run'),
        ),
      ])
      return `### ${theme}\n\n${table(['', ...names], rows)}`
    })
    .join('\n\n')
}

export function matrixPage(promises: string): string {
  return `# What each transport promises, and what the suite saw

<!-- Made by \`npm run docs:matrix\`. Do not edit. -->

The words are explained in [src/contract/features.ts](../../src/contract/features.ts).

## Features

${featuresTable()}

## The conformance suite

One row for each promise. *kept*: the case passed on the real thing. –: it does not apply to what the transport says of itself.

${promises}
`
}

if (import.meta.main) writeFileSync(page, matrixPage(promisesTables(runSuite())))
