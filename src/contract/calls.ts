import { MillraceError } from '../errors/millrace-error.ts'

/** The calls of something that can be closed: each can be aborted, and the end waits for all of them. */
export class Calls {
  readonly #what: string
  /** Counted and not kept: in a Set they would live until the next major collection, and what they gave with them. */
  #running = 0
  #idle: () => void = () => {}
  #end: Promise<void> | undefined

  /** @param what is closed, in messages */
  constructor(what: string) {
    this.#what = what
  }

  /** Begins the work at once; an aborted signal ends the call, not the work. @throws MillraceError STOPPED, ABORTED, what the work throws */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#end !== undefined) throw new MillraceError('STOPPED', `${this.#what} is closed`)
    if (signal?.aborted === true) throw abortedBy(signal)
    const running = work()
    this.#running++
    const done = (): void => {
      if (--this.#running === 0) this.#idle()
    }
    void running.then(done, done)
    return await (signal === undefined ? running : untilAborted(running, signal))
  }

  /** No more calls from now on. Runs `end`, once, when none is under way. */
  close(end: () => Promise<void>): Promise<void> {
    this.#end ??= this.#ended().then(end)
    return this.#end
  }

  async #ended(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
  }
}

export function abortedBy(signal: AbortSignal): MillraceError {
  return new MillraceError('ABORTED', 'The call was aborted by its signal', { cause: signal.reason })
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(abortedBy(signal))
    signal.addEventListener('abort', stop, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
