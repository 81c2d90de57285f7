import { inspect, styleText } from 'node:util'
import { isMillraceError, messageOf } from '../errors/millrace-error.ts'
import { redacted } from '../url.ts'
import { oneLine } from './print.ts'

/** Says on stderr what went wrong, and in a second line what to do. Where it happened: only with MILLRACE_DEBUG=1. */
export function report(error: unknown): void {
  const known = isMillraceError(error)
  const line = `${oneLine(messageOf(error))}${known ? ` [${error.code}]` : ''}`
  say(`${styleText('red', 'millrace:', { stream: process.stderr })} ${redacted(line)}`)
  say(known ? error.remedy : 'MILLRACE_DEBUG=1 shows where this comes from.')
  if (process.env['MILLRACE_DEBUG'] === '1') say(redacted(inspect(error)))
}

/** A line for people, beside the output. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
