import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { chartOf } from '../bench/chart.ts'
import { allResults } from '../bench/results.ts'
import { rows } from '../bench/rows.ts'
import { performancePage } from '../scripts/performance-doc.ts'
import { root } from './imports.ts'

const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8')

test('docs/performance.md is what the generator makes of the results', () => {
  expect(read('docs/performance.md'), 'run `npm run docs:performance`').toBe(performancePage(allResults()))
})

test('the chart is that of the results', () => {
  expect(read('bench/results/ratios.svg')).toBe(chartOf(allResults()))
})

test('every result is of a row that can be measured again', () => {
  const names = rows.map(({ name }) => name)
  expect(names).toEqual([...new Set(names)])
  expect(names).toEqual(expect.arrayContaining(allResults().map(({ row }) => row)))
})
