import { expect } from 'vitest'
import { measure, type Figure } from './measure.ts'
import { reportOf } from './report.ts'
import { resultOf } from './results.ts'
import { thisMachine } from './machine.ts'
import type { Row } from './row.ts'
import type { Spread } from './spread.ts'

/** A window of a thousand events each, and ten latencies. */
const least = { pairs: 1, latencyPairs: 1, seconds: 0.01 }

/**
 * Measures a row as shortly as it can be, so that it does not rot. That both sides do what they are asked for is seen
 * to by `measure` itself.
 */
export async function tryRow(row: Row): Promise<void> {
  const measured = await measure(row, least, { peers: false, quick: true })
  expect(measured.figures).not.toEqual([])
  for (const figure of measured.figures) {
    for (const { median, min, max } of spreadsOf(figure)) {
      expect([median, min, max].every(Number.isFinite), `${figure.name} of ${row.name}`).toBe(true)
      expect(min).toBeGreaterThanOrEqual(0)
    }
  }
  expect(reportOf(resultOf(row, thisMachine(), measured))).toContain(row.about)
}

function spreadsOf({ ours, raw, ratio, beside = {} }: Figure): readonly Spread[] {
  return [ours, raw, ratio, ...Object.values(beside)].filter((spread) => spread !== undefined)
}
