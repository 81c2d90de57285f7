import type { Figure } from './measure.ts'
import type { Result } from './results.ts'
import type { Spread } from './spread.ts'

/** A result as lines for the terminal: the figures, and everything they depend on. */
export function reportOf(result: Result): string {
  const { row, about, baseline, machine, settings, figures } = result
  const { versions, load, ...hardware } = machine
  return [
    `${row}: ${about}`,
    `  against ${baseline}`,
    ...figures.flatMap((figure) => figureLines(figure).map((line) => `  ${line}`)),
    `  ${pairsOf(settings)}`,
    `  ${pairsOf(hardware)}, load ${load}; ${pairsOf(versions)}`,
  ].join('\n')
}

function figureLines({ name, unit, raw, ours, ratio, beside = {}, bar }: Figure): readonly string[] {
  const verdict = bar === undefined ? '' : `  ${bar.kept ? 'kept' : 'MISSED'}: ${bar.text}`
  return [
    `${name}: ${spreadText(ours)} ${unit}${verdict}`,
    ...(raw === undefined ? [] : [`  raw ${spreadText(raw)} ${unit}`]),
    ...(ratio === undefined ? [] : [`  ratio ${spreadText(ratio)}`]),
    ...Object.entries(beside).map(([other, spread]) => `  beside: ${other} ${spreadText(spread)} ${unit}`),
  ]
}

/** `12,345 [12,000-12,900]`; of a single measurement only that. */
export function spreadText({ median, min, max }: Spread): string {
  return min === max ? numberText(median) : `${numberText(median)} [${numberText(min)}-${numberText(max)}]`
}

/** Three digits that count; large numbers whole. */
export function numberText(value: number): string {
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : Number(value.toPrecision(3)).toString()
}

export function pairsOf(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
