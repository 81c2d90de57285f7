// npm run test:matrix -- [name]...: the tests on every runtime that is promised, one after the other.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npmPackage } from '../test/npm-package.ts'
import { summaryOf, type Results, type RuntimeRun } from './test-matrix-summary.ts'

/** Everything but what needs Node: adapters with clients or files, the command line, and what drives other processes. */
const core = [
  'src/adapters/memory',
  'src/clock',
  'src/contract',
  'src/errors',
  'src/event',
  'src/pipeline',
  'src/publish',
  'src/receive',
  'src/report',
  'src/testing',
  'src/app.test.ts',
  'src/parts.test.ts',
] as const

interface Runtime {
  readonly name: string
  readonly package: string
  readonly version: string
  /** What makes the program run vitest, before the name of its script. */
  readonly launch: readonly [program: string, ...options: string[]]
  /** What vitest is told; no files: the whole suite. */
  readonly options: readonly string[]
}

const nodePackage = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
const node = (version: string): Runtime => ({
  name: `node-${version.split('.')[0]}`,
  package: nodePackage,
  version,
  launch: ['node'],
  options: [],
})

/** The oldest of each line of Node that `engines` names, and the newest line. */
const runtimes: readonly Runtime[] = [
  node('22.22.3'),
  node('24.15.0'),
  node('26.10.0'),
  {
    name: 'bun',
    package: 'bun',
    version: '1.4.5',
    launch: ['bun', '--bun'],
    // Its child processes lack what vitest's forks need.
    options: ['--pool=threads', '--typecheck.enabled=false', ...core],
  },
  {
    name: 'deno',
    package: 'deno',
    version: '2.9.6',
    launch: ['deno', 'run', '--allow-all'],
    options: ['--typecheck.enabled=false', ...core],
  },
]

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
/** A runtime on which the tests hang must not keep the others from theirs. */
const limit = 60 * 60_000

async function run({ name, package: npmName, version, launch, options }: Runtime): Promise<RuntimeRun> {
  const bin = join(await npmPackage(npmName, version), 'node_modules', '.bin')
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-matrix-'))
  const report = join(folder, 'results.json')
  const [program, ...first] = launch
  const reporters = ['default', join(root, 'test', 'reporter.ts'), 'json'].map((one) => `--reporter=${one}`)
  const began = performance.now()
  const { status } = spawnSync(
    join(bin, program),
    [...first, vitest, 'run', ...reporters, `--outputFile.json=${report}`, ...options],
    {
      cwd: root,
      stdio: 'inherit',
      timeout: limit,
      // Also for what tests start by name.
      env: { ...process.env, PATH: [bin, process.env['PATH']].join(delimiter) },
    },
  )
  const results = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Results) : undefined
  rmSync(folder, { recursive: true })
  return { name: `${name} ${version}`, status, minutes: (performance.now() - began) / 60_000, results }
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !runtimes.some((runtime) => runtime.name === name))
if (unknown.length > 0)
  throw new Error(`Expected ${runtimes.map(({ name }) => name).join(', ')}, got ${unknown.join(', ')}`)

const runs: RuntimeRun[] = []
for (const runtime of runtimes) {
  if (asked.length > 0 && !asked.includes(runtime.name)) continue
  console.log(`\n# ${runtime.name} ${runtime.version}`)
  runs.push(await run(runtime))
}
console.log(`\n${summaryOf(runs)}`)
process.exitCode = runs.every(({ status }) => status === 0) ? 0 : 1
