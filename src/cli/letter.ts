import { readable } from '../clock/duration.ts'
import type { DeadLetter } from '../dead-letters.ts'
import { headOf, type MillraceEvent } from '../event/event.ts'
import { isJson, mediaType, textOf } from '../event/payload.ts'
import { exactJson } from './exact-json.ts'
import { oneLine, plain, styled } from './print.ts'

/** A dead letter in one line of JSON. `raw`, in base64, stands for data that is neither JSON nor text, or no event at all. */
export function letterJson({ event, raw, ...letter }: DeadLetter): string {
  const data = event === undefined ? undefined : readData(event, raw)
  return JSON.stringify({
    ...letter,
    event: event === undefined ? undefined : { ...attributes(event), data },
    raw: data === undefined && raw.length > 0 ? Buffer.from(raw).toString('base64') : undefined,
  })
}

/** A dead letter on a terminal, everything about it. */
export function letterText(letter: DeadLetter, now: number): string {
  const { event, error, history, raw } = letter
  const lines: [string, string | undefined][] = [
    ['id', letter.id],
    ['queue', letter.queue],
    ...Object.entries(event === undefined ? {} : attributes(event))
      .filter(([name]) => name !== 'id' || event?.id !== letter.id)
      .map(([name, value]): [string, string | undefined] => [
        name === 'id' ? 'event id' : name,
        shown(value),
      ]),
    ['attempts', String(letter.attempts)],
    ['failed first', letter.firstFailedAt.toISOString()],
    ['died', `${letter.deadAt.toISOString()} (${readable(now - letter.deadAt.getTime())} ago)`],
    ['error', `${error.name}: ${error.message}${error.code === undefined ? '' : ` [${error.code}]`}`],
  ]
  const known = lines.filter((line): line is [string, string] => line[1] !== undefined)
  return [
    ...known.map(([name, value]) => `${styled('dim', name.padEnd(14))}${oneLine(value)}`),
    ...(error.stack === undefined ? [] : ['', styled('dim', plain(error.stack))]),
    '',
    styled('dim', 'history'),
    ...history.map(({ at, message }) => `${at.toISOString()}  ${oneLine(message)}`),
    '',
    styled('dim', 'data'),
    dataText(event, raw),
  ].join('\n')
}

function attributes(event: MillraceEvent): Record<string, unknown> {
  const { id, type, key, time, deliverAt } = event
  return { id, type, key, ...headOf(event), time, deliverAt }
}

function shown(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  if (value instanceof Date) return value.toISOString()
  const text = JSON.stringify(value)
  return text === '{}' ? undefined : text
}

/** undefined: there is none, or it is neither JSON nor text. */
function readData({ contentType }: MillraceEvent, raw: Uint8Array): unknown {
  const text = contentType !== undefined && mediaType(contentType).startsWith('text/')
  if (raw.length === 0 || !(text || isJson(contentType))) return undefined
  try {
    return text ? textOf(raw) : exactJson(textOf(raw))
  } catch {
    return undefined // what is wrong with it is what the letter's error says
  }
}

function dataText(event: MillraceEvent | undefined, raw: Uint8Array): string {
  if (raw.length === 0) return 'none'
  const data = event === undefined ? undefined : readData(event, raw)
  if (data === undefined) return plain(Buffer.from(raw).toString())
  return plain(
    typeof data === 'string' && !isJson(event?.contentType) ? data : JSON.stringify(data, undefined, 2),
  )
}
