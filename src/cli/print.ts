import { styleText } from 'node:util'
import Table from 'cli-table3'

/** Whether somebody looks at the output; a program gets JSON instead. */
export const onTerminal = process.stdout.isTTY

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

type Format = Parameters<typeof styleText>[0]

/** Styled if stdout shows it: a terminal, and no NO_COLOR. */
export function styled(format: Format, text: string): string {
  return styleText(format, text, { stream: process.stdout })
}

/** Foreign text for a terminal, without the control characters that could move its cursor or rewrite its lines. */
export function plain(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '\u{FFFD}')
}

export function oneLine(text: string): string {
  return plain(text).replaceAll(/\s+/g, ' ').trim()
}

export interface Column {
  readonly name: string
  readonly align?: 'right'
}

const gap = 2

/** Columns without lines between them; the last one gets what the terminal has left. Cells are one line each. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(
    ({ name }, i) => gap + Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)),
  )
  const taken = widths.slice(0, -1).reduce((sum, width) => sum + width, 0)
  const left = Math.max((process.stdout.columns || 80) - taken, 20)
  const drawn = new Table({
    chars: noLines,
    style: { 'padding-left': 0, 'padding-right': gap, head: [], border: [], compact: true },
    colAligns: columns.map(({ align }) => align ?? 'left'),
    colWidths: [...widths.slice(0, -1), Math.min(widths.at(-1) ?? 0, left)],
  })
  drawn.push(
    columns.map(({ name }) => styled('dim', name)),
    ...rows.map((row) => [...row]),
  )
  return drawn.toString().replaceAll(/ +$/gm, '')
}

const noLines = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
}
