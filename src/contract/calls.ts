import { MillraceError } from '../errors/millrace-error.ts'

/** The calls of something that can be closed: each can be aborted, and the end waits for all of them. */
export class Calls {
  readonly #what: string
  readonly #running = new Set<Promise<unknown>>()
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
    this.#running.add(running)
    const done = (): void => void this.#running.delete(running)
    void running.then(done, done)
    return await (signal === undefined ? running : untilAborted(running, signal))
  }

  /** No more calls from now on. Runs `end`, once, when none is under way. */
  close(end: () => Promise<void>): Promise<void> {
    this.#end ??= Promise.allSettled(this.#running).then(end)
    return this.#end
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
