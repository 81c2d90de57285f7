// Writes docs/performance.md and the chart from bench/results: npm run docs:performance
import { writeFileSync } from 'node:fs'
import type { Figure } from '../bench/measure.ts'
import { numberText, pairsOf, spreadText } from '../bench/report.ts'
import { allResults, draw, type Result } from '../bench/results.ts'

const page = new URL('../docs/performance.md', import.meta.url)

/** docs/performance.md as it has to be. */
export function performancePage(results: readonly Result[]): string {
  return results.length === 0
    ? `${head}\nNo row was measured on a quiet machine yet.\n`
    : `${head}${tables(results)}`
}

function tables(results: readonly Result[]): string {
  return `
## Figures

| row | figure | ours | baseline | ratio | bar |
| --- | --- | --- | --- | --- | --- |
${results.flatMap((result) => result.figures.map((figure) => tableRow(result.row, figure))).join('\n')}

## What each row is

${results.map(section).join('\n')}`
}

function tableRow(row: string, { name, unit, ours, raw, ratio, bar }: Figure): string {
  const cells = [
    `[${row}](#${row.replaceAll('.', '')})`,
    `${name}, ${unit}`,
    spreadText(ours),
    raw === undefined ? '' : spreadText(raw),
    ratio === undefined ? '' : spreadText(ratio),
    bar === undefined ? '' : `${bar.text}: ${bar.kept ? 'kept' : '**missed**'}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function section({ row, about, baseline, settings, machine, measured, figures }: Result): string {
  const { versions, load, ...hardware } = machine
  const besides = figures.flatMap(({ unit, beside = {} }) =>
    Object.entries(beside).map(([name, spread]) => `- Beside it: ${name} ${spreadText(spread)} ${unit}.`),
  )
  return [
    `### ${row}\n`,
    `${about}.\n`,
    `- Baseline: ${baseline}.`,
    ...besides,
    `- ${pairsOf(settings)}.`,
    `- ${measured}: ${pairsOf(hardware)}; ${pairsOf(versions)}; load ${numberText(load)} before it began.`,
    '',
  ].join('\n')
}

const head = `# Performance

<!-- Made by \`npm run docs:performance\` from bench/results. Do not edit. -->

Absolute figures belong to the machine they were measured on, ratios much less so. Each row measures ours and a baseline in turns, in one
process and one run: at least 7 pairs of windows of at least 3 s each. A figure is the median, with the least and the greatest in brackets;
a ratio is ours divided by the baseline, of each pair. The baseline writes the same records, with the same number of events to a commit,
an exchange or a fetch, and as durably, unless the row says otherwise. Latencies are of 5 pairs. Where other programs had the machine too,
the load says so.

\`\`\`sh
npm run bench -- --list                  # what can be measured
npm run bench -- sqlite.publish          # one row, or all of a system: sqlite
npm run bench -- sqlite --quick          # a trial, which keeps no result
npm run bench -- kafka --peers           # other libraries beside it, installed into ~/.cache/millrace
\`\`\`
`

if (import.meta.main) {
  writeFileSync(page, performancePage(allResults()))
  // A result may have been taken back since it was drawn.
  draw()
}
