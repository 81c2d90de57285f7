import { readable } from '../clock/duration.ts'
import type { Logger } from '../contract/ingress.ts'
import type { Notice } from '../contract/transport.ts'
import { messageOf } from '../errors/millrace-error.ts'

/** Which event a line is about. Never its data: payloads do not belong into logs. */
interface About {
  readonly queue: string
  readonly type: string
  readonly id: string
}

/** The default: one line on stderr for what went wrong, silence for the rest. */
export const stderrLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (...args: unknown[]) => console.error(...args),
  error: (...args: unknown[]) => console.error(...args),
}

/** Says in one line each what happened to events. A logger that throws must not cost an event, so nothing here throws. */
export class Reporter {
  readonly #logger: Logger | undefined

  constructor(logger: Logger | undefined) {
    this.#logger = logger
  }

  failed(about: About, attempt: number, delay: number, error: Error): void {
    this.#line(
      'warn',
      about,
      `attempt ${attempt} failed: ${summary(error)}; next try ${delay < 1 ? 'now' : `in ${readable(delay)}`}`,
    )
  }

  dead(about: About, attempts: number, error: Error): void {
    const runs = attempts === 1 ? '1 attempt' : `${attempts} attempts`
    this.#line('error', about, `dead letter after ${runs}: ${summary(error)}`)
  }

  lost(about: About, what: string): void {
    this.#line('warn', about, `${what} [LEASE_LOST]`)
  }

  unsettled(about: About, error: Error): void {
    this.#line('error', about, `could not be settled, trying again: ${summary(error)}`)
  }

  middleware(about: About, code: string, message: string): void {
    this.#line('warn', about, `${message} [${code}]`)
  }

  /** Something about a queue or a transport, not about one event. */
  notice(notice: Notice, level: 'info' | 'warn' | 'error' = 'warn'): void {
    const cause = notice.cause === undefined ? '' : `: ${oneLine(messageOf(notice.cause))}`
    this.#write(
      level,
      `millrace ${notice.queue === undefined ? '' : `${notice.queue}: `}${notice.message}${cause} [${notice.code}]`,
    )
  }

  #line(level: 'warn' | 'error', { queue, type, id }: About, text: string): void {
    this.#write(level, `millrace ${queue} ${oneLine(type)} ${oneLine(id)}: ${text}`)
  }

  #write(level: 'info' | 'warn' | 'error', line: string): void {
    try {
      this.#logger?.[level](line)
    } catch {
      // a broken logger has nowhere to be reported to
    }
  }
}

function summary(error: Error): string {
  const { code } = error as { code?: unknown }
  const message = messageOf(error)
  return (
    oneLine(message === '' ? String(error.name) : message) + (typeof code === 'string' ? ` [${code}]` : '')
  )
}

/** Control characters too: a terminal would obey them, and senders choose types and ids. */
function oneLine(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}
