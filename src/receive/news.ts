import type { Session } from '../contract/transport.ts'

/** Waits for something to take, once the system has given less than it was asked for. */
export class News {
  readonly #ending = new AbortController()
  readonly #failed: (error: unknown) => void
  readonly #come: () => void
  #awaited = false

  /** @param come is called when there may be something to take, also after `failed` */
  constructor(failed: (error: unknown) => void, come: () => void) {
    this.#failed = failed
    this.#come = come
  }

  /** Whether there is nothing to take until somebody says so. */
  get awaited(): boolean {
    return this.#awaited
  }

  async wait(session: Session): Promise<void> {
    if (this.#awaited) return
    this.#awaited = true
    try {
      await session.ready(this.#ending.signal)
    } catch (error) {
      this.#failed(error)
    }
    this.#awaited = false
    this.#come()
  }

  close(): void {
    this.#ending.abort()
  }
}
