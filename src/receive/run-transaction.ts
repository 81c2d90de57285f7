import { MillraceError } from '../errors/millrace-error.ts'

/** The transaction that one run of a handler is in, and what the run publishes in it. */
export class RunTransaction {
  /** The system's own. */
  readonly handle: unknown
  readonly #publishing = new Set<Promise<void>>()
  #over = false

  constructor(handle: unknown) {
    this.handle = handle
  }

  /** Publishes in it. Once it is over its connection serves others. */
  publish(send: () => Promise<void>): Promise<void> {
    if (this.#over) {
      const message =
        'The transaction of this handler is over: await what is published before the handler ends'
      return Promise.reject(new MillraceError('TRANSACTION_OVER', message))
    }
    const sent = send()
    this.#publishing.add(sent)
    // Whoever published hears of it, and `settled`.
    sent.catch(() => undefined)
    return sent
  }

  /** Waits for what the handler has published without waiting. @throws as the first of those that failed */
  async settled(): Promise<void> {
    for (const sent of this.#publishing) await sent
    this.#over = true
  }

  /** It is rolled back: nothing more belongs to it. */
  failed(): void {
    this.#over = true
  }
}
