import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One event handled by one queue. `attempt` is 1 if no attempt failed before. */
export interface Entry {
  readonly queue: string
  readonly id: string
  readonly attempt: number
}

/**
 * Which queue has handled which event: a line each, in a file, because other processes may share the queues (a second
 * `npm start`, `millrace run`). An event that is delivered twice is entered twice.
 */
export class Ledger {
  readonly #file: string

  constructor(folder: string) {
    this.#file = join(folder, 'handled.txt')
  }

  async add({ queue, id, attempt }: Entry): Promise<void> {
    await appendFile(this.#file, `${attempt} ${queue} ${id}\n`)
  }

  async read(): Promise<readonly Entry[]> {
    // a+ makes the file if nothing was handled yet.
    const text = await readFile(this.#file, { encoding: 'utf8', flag: 'a+' })
    const lines = text.matchAll(/^(?<attempt>\d+) (?<queue>\S+) (?<id>.+)$/gm)
    return Array.from(lines, ([, attempt, queue = '', id = '']) => ({ queue, id, attempt: Number(attempt) }))
  }
}
