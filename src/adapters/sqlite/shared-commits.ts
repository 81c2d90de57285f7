import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database } from './database.ts'

/** What one transaction writes at most, so that it stops nobody for long. One write may be larger. */
const mostWrites = 128
const mostBytes = 1024 * 1024

interface Write {
  readonly bytes: number
  readonly work: () => unknown
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** What is written in one turn of the event loop shares a transaction: beginning and ending one costs more than a write does. */
export class SharedCommits {
  readonly #database: Database
  #waiting: Write[] = []
  #isRunning = false

  constructor(database: Database) {
    this.#database = database
  }

  /**
   * Runs work as `Database.commit` does, after what was asked for before. It must not throw but what the file does: that fails
   * all that share.
   * @param bytes that it writes, about
   */
  async run<T>(bytes: number, work: () => T): Promise<T> {
    const result = new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ bytes, work, resolve, reject })
    })
    if (!this.#isRunning) void this.#commitAll()
    return (await result) as T
  }

  async #commitAll(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      await nextTurn()
      const writes = this.#take()
      try {
        const results = await this.#database.commit(() => writes.map(({ work }) => work()))
        for (const [i, { resolve }] of writes.entries()) resolve(results[i])
      } catch (error) {
        for (const { reject } of writes) reject(error)
      }
    }
    this.#isRunning = false
  }

  #take(): readonly Write[] {
    let bytes = 0
    let count = 0
    for (const write of this.#waiting) {
      bytes += write.bytes
      if (count === mostWrites || (count > 0 && bytes > mostBytes)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}
