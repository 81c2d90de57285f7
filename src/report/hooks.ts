/** Functions of a user, to be called when something has happened. One that throws or rejects harms nobody else: it is reported. */
export class Hooks<T> {
  readonly #hooks = new Set<{ readonly fn: (value: T) => unknown }>()
  readonly #failed: (error: unknown) => void

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Gives back a function that ends it. The same function may be added twice. */
  add(fn: (value: T) => unknown): () => void {
    const hook = { fn }
    this.#hooks.add(hook)
    return () => void this.#hooks.delete(hook)
  }

  /** Calls them all now; resolves when all have ended. */
  async call(value: T): Promise<void> {
    await Promise.all(
      [...this.#hooks].map(async ({ fn }) => {
        try {
          await fn(value)
        } catch (error) {
          this.#failed(error)
        }
      }),
    )
  }
}
