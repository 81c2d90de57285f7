import Table from 'cli-table3'

/** The part of vitest's JSON report that is read here. */
export interface Results {
  readonly testResults: readonly {
    /** The file. */
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

/** The tests on one runtime. */
export interface RuntimeRun {
  readonly name: string
  /** The exit code; null if they did not end in time. */
  readonly status: number | null
  readonly minutes: number
  /** Undefined if they died before they could report. */
  readonly results: Results | undefined
}

type Outcome = 'passed' | 'failed' | 'skipped'

/** A line for each runtime, then every case that failed or was skipped, with the runtimes where it did. */
export function summaryOf(runs: readonly RuntimeRun[]): string {
  const table = new Table({
    head: ['', 'passed', 'failed', 'skipped', 'minutes', 'exit code'],
    style: { head: [], border: [] },
  })
  for (const run of runs) {
    const count = (outcome: Outcome): number => casesOf(run, outcome).length
    table.push([
      run.name,
      count('passed'),
      count('failed'),
      count('skipped'),
      run.minutes.toFixed(1),
      run.status ?? 'did not end',
    ])
  }
  return [table.toString(), ...listOf('failed', runs), ...listOf('skipped', runs)].join('\n')
}

function listOf(outcome: Outcome, runs: readonly RuntimeRun[]): readonly string[] {
  const where = new Map<string, string[]>()
  for (const run of runs) {
    for (const one of casesOf(run, outcome)) where.set(one, [...(where.get(one) ?? []), run.name])
  }
  const lines = [...where].map(
    ([one, names]) => `  ${one}${names.length < runs.length ? ` (${names.join(', ')})` : ''}`,
  )
  return lines.length === 0 ? [] : ['', `${outcome}:`, ...lines.toSorted()]
}

function casesOf({ status, results }: RuntimeRun, outcome: Outcome): readonly string[] {
  const cases = (results?.testResults ?? []).flatMap(({ name, status: ofFile, assertionResults }) => {
    const found = assertionResults.map((one) => ({ name: one.fullName, outcome: outcomeOf(one.status) }))
    const isExplained = ofFile !== 'failed' || found.some((one) => one.outcome === 'failed')
    // It could not be loaded, or something failed outside its tests.
    return isExplained ? found : [...found, { name, outcome: 'failed' as const }]
  })
  if (status !== 0 && cases.every((one) => one.outcome !== 'failed')) {
    cases.push({ name: 'something outside the tests, see above', outcome: 'failed' })
  }
  return cases.filter((one) => one.outcome === outcome).map((one) => one.name)
}

function outcomeOf(status: string): Outcome {
  return status === 'passed' || status === 'failed' ? status : 'skipped'
}
