import type { Result } from './results.ts'
import type { Spread } from './spread.ts'

interface Bar extends Spread {
  readonly row: string
}

const rowHeight = 24
const left = 200
const width = 760
const top = 34

/** An SVG of every ratio that was measured: its median as a bar, least to greatest as a line, and the baseline at 1. */
export function chartOf(results: readonly Result[]): string {
  const bars = results.flatMap(({ row, figures }) =>
    figures.flatMap(({ ratio }): Bar[] => (ratio === undefined ? [] : [{ row, ...ratio }])),
  )
  const end = Math.max(1.2, ...bars.map(({ max }) => max))
  const x = (ratio: number): number => Math.round(left + (ratio / end) * (width - left - 60))
  const height = top + bars.length * rowHeight + 10
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="${x(1)}" y="20" text-anchor="middle">baseline = 1</text>
${bars.map((bar, n) => barOf(bar, top + n * rowHeight, x)).join('\n')}
<path d="M${x(1)} ${top - 8}V${height - 6}" stroke="black" stroke-dasharray="4 3"/>
</svg>
`
}

function barOf({ row, median, min, max }: Bar, y: number, x: (ratio: number) => number): string {
  const middle = y + rowHeight / 2 - 2
  return [
    `<text x="${left - 8}" y="${middle + 4}" text-anchor="end">${row}</text>`,
    `<rect x="${left}" y="${y}" width="${x(median) - left}" height="${rowHeight - 5}" fill="#7fb2cc"/>`,
    `<path d="M${x(min)} ${middle}H${x(max)}" stroke="black" stroke-width="1.5"/>`,
    `<text x="${x(max) + 6}" y="${middle + 4}">${median.toFixed(2)}</text>`,
  ].join('')
}
