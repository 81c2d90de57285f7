/** What is opened at first use: uses at the same time share it, and if it fails, the next use tries again. */
export class Opening<T> {
  readonly #open: () => Promise<T>
  #opened: Promise<T> | undefined

  constructor(open: () => Promise<T>) {
    this.#open = open
  }

  /** @throws what opening throws */
  use(): Promise<T> {
    if (this.#opened !== undefined) return this.#opened
    const opening = this.#open()
    this.#opened = opening
    opening.catch(() => {
      if (this.#opened === opening) this.#opened = undefined
    })
    return opening
  }

  /** What was opened, if anything was. An opening that fails is reported to whoever asked for it. */
  async found(): Promise<T | undefined> {
    return await this.#opened?.catch(() => undefined)
  }
}
