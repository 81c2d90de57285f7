/** A process that may end: its exit code, or the signal that ended it. */
interface Mortal {
  readonly gone: Promise<number | string>
  readonly lines: readonly unknown[]
}

/** Waits for what processes do, and ends. */
export class Watch<Process extends Mortal> {
  readonly processes: Process[] = []
  readonly #patience: number
  #wake = (): void => {}

  /** @param patience of one wait, in milliseconds */
  constructor(patience: number) {
    this.#patience = patience
  }

  /** Adds a process, which calls `heard` whenever it has said something. */
  add(start: (heard: () => void) => Process): Process {
    const started = start(() => this.#wake())
    this.processes.push(started)
    return started
  }

  /** Waits until something is so; looks again whenever a process says something, and now and then. Fails if one of `alive` ends before. */
  async until(
    what: string,
    done: () => boolean | Promise<boolean>,
    ...alive: readonly Process[]
  ): Promise<void> {
    const end = performance.now() + this.#patience
    let ended: number | string | undefined
    for (const one of alive) void one.gone.then((code) => (ended = code))
    while (!(await done())) {
      if (ended !== undefined) throw new Error(`Waited for ${what}: the process has ended (${ended})`)
      if (performance.now() > end)
        throw new Error(`Waited ${this.#patience} ms for ${what}\n${this.#story()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100)
        const before = this.#wake
        this.#wake = () => {
          clearTimeout(timer)
          before()
          resolve()
        }
      })
    }
  }

  /** What the processes said last, for the message of a wait that was in vain. */
  #story(): string {
    return this.processes.map(({ lines }, i) => `process ${i}: ${JSON.stringify(lines.slice(-5))}`).join('\n')
  }
}
