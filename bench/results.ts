import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { chartOf } from './chart.ts'
import type { Machine } from './machine.ts'
import type { Measured } from './measure.ts'
import type { Row } from './row.ts'

/** One row as it was measured, complete: what docs/performance.md is made of. */
export interface Result extends Measured {
  readonly row: string
  readonly about: string
  readonly baseline: string
  readonly measured: string
  readonly machine: Machine
}

const folder = new URL('results/', import.meta.url)

export function resultOf(row: Row, machine: Machine, measured: Measured): Result {
  return {
    row: row.name,
    about: row.about,
    baseline: row.baseline,
    measured: new Date().toISOString().slice(0, 10),
    machine,
    ...measured,
  }
}

/** Keeps the result, and draws the chart of all anew. */
export function keep(result: Result): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(new URL(`${result.row}.json`, folder), `${JSON.stringify(result, null, 2)}\n`)
  draw()
}

/** The chart of all results. */
export function draw(): void {
  writeFileSync(new URL('ratios.svg', folder), chartOf(allResults()))
}

/** By name. */
export function allResults(): readonly Result[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Result)
}
