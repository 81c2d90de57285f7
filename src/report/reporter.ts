import { readable } from '../clock/duration.ts'
import type { Logger } from '../contract/ingress.ts'
import type { Notice } from '../contract/transport.ts'
import { messageOf } from '../errors/millrace-error.ts'
import { Hooks } from './hooks.ts'

type Level = 'info' | 'warn' | 'error'

/** Which event a line is about. Never its data: payloads do not belong into logs. */
interface About {
  readonly queue: string
  readonly type: string
  readonly id: string
}

/** What to say when a function that a user gave to `hook` throws. */
export function hookFailed(hook: string, cause: unknown): Notice {
  return { code: 'HOOK_FAILED', message: `A function given to ${hook} threw`, cause }
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
  readonly #hooks: Hooks<Notice>

  constructor(logger: Logger | undefined) {
    this.#logger = logger
    // To the log only: the function that threw would be called with this, too.
    this.#hooks = new Hooks((cause) => this.#log(hookFailed('onNotice', cause), 'error'))
  }

  /** Calls `fn` with each notice. Gives back a function that ends this. */
  onNotice(fn: (notice: Notice) => void): () => void {
    return this.#hooks.add(fn)
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

  notice(notice: Notice, level: Level = 'warn'): void {
    this.#log(notice, level)
    void this.#hooks.call(notice)
  }

  #log({ code, message, queue, type, id, cause }: Notice, level: Level): void {
    const about = [queue, type, id].filter((part) => part !== undefined).map(oneLine)
    const reason = cause === undefined ? '' : `: ${oneLine(messageOf(cause))}`
    this.#write(
      level,
      `millrace ${about.length === 0 ? '' : `${about.join(' ')}: `}${message}${reason} [${code}]`,
    )
  }

  #line(level: Level, { queue, type, id }: About, text: string): void {
    this.#write(level, `millrace ${queue} ${oneLine(type)} ${oneLine(id)}: ${text}`)
  }

  #write(level: Level, line: string): void {
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
