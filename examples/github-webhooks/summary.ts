import { join, relative } from 'node:path'
import Table from 'cli-table3'
import type { Accounts, QueueAccount } from './accounts.ts'

interface SummaryOptions {
  /** The events stay, so there is something for `millrace dead` to work on. */
  readonly isKept: boolean
  readonly onTerminal: boolean
}

/** What happened, as text: a row for each queue, every dead letter, what is unaccounted for, and the totals last. */
export function summaryOf(accounts: Accounts, { isKept, onTerminal }: SummaryOptions): string {
  const { sent, accepted, handled, dead, unaccounted, queues } = accounts
  const rows = queues.map(cellsOf)
  return [
    '',
    onTerminal ? drawn(rows) : aligned([head, ...rows]),
    ...queues.flatMap((queue) => deadOf(queue, isKept)),
    ...queues.flatMap(openOf),
    '',
    `${sent} sent, ${accepted} accepted, ${handled} handled, ${dead} dead, ${unaccounted} unaccounted`,
  ].join('\n')
}

const head = ['queue', 'events', 'handled', 'retries', 'dead', 'subscribes to'] as const
const isNumber = (column: number): boolean => column > 0 && column < head.length - 1

function cellsOf({ queue, patterns, outcomes, retries, dead }: QueueAccount): readonly string[] {
  const handled = [...outcomes.values()].filter((outcome) => outcome === 'handled').length
  const kinds = patterns.map((pattern) => pattern.replace(/^github\./, ''))
  return [queue, ...[outcomes.size, handled, retries, dead.length].map(String), kinds.join(', ')]
}

function drawn(rows: readonly (readonly string[])[]): string {
  const colAligns = head.map((_, i) => (isNumber(i) ? 'right' : 'left'))
  const table = new Table({ head: [...head], colAligns, style: { head: [], border: [] } })
  table.push(...rows.map((row) => [...row]))
  return table.toString()
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const pad = (text: string, i: number): string => {
    const width = widths[i] ?? 0
    return isNumber(i) ? text.padStart(width) : text.padEnd(width)
  }
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}

function deadOf({ queue, dead, otherDead }: QueueAccount, isKept: boolean): readonly string[] {
  if (dead.length + otherDead === 0) return []
  const lines = dead.flatMap(({ name, id, type, attempts, message }) => [
    '',
    `Dead letter in ${queue}, after ${attempts} attempts: ${type} ${id}`,
    `  ${message}`,
    ...(isKept ? [`  try it again: ${command('redrive', queue)} ${name}`] : []),
  ])
  if (otherDead > 0) lines.push('', `Dead letters in ${queue} of earlier events: ${otherDead}`)
  const hint = isKept
    ? `Look at them: ${command('list', queue)}`
    : 'Without --once, dead letters stay, to be looked at and redriven.'
  return [...lines, hint]
}

/** To be typed where this process was started: in another terminal, or when it has ended. */
function command(action: string, queue: string): string {
  return `npx millrace dead ${action} ${relative('.', join(import.meta.dirname, 'app.ts'))} ${queue}`
}

const mostIds = 10

function openOf({ queue, outcomes, waiting }: QueueAccount): readonly string[] {
  const missing = [...outcomes].filter(([, outcome]) => outcome === 'missing').map(([id]) => id)
  const ids = missing.slice(0, mostIds).join(', ') + (missing.length > mostIds ? ', ...' : '')
  return [
    ...(missing.length > 0 ? ['', `Unaccounted for in ${queue}: ${missing.length}: ${ids}`] : []),
    ...(waiting > 0 ? ['', `Not settled yet in ${queue}: ${waiting}`] : []),
  ]
}
