import { open, type FileHandle } from 'node:fs/promises'

/**
 * Brings SQLite's write-ahead log to the disk, beside the event loop: a commit that waits for the disk itself stops
 * everything else in the process for as long. One sync is under way at a time; whoever commits meanwhile shares the next.
 *
 * SQLite locks the database and `-shm`, never the log, so that opening and closing it here frees no lock of the process.
 */
export class LogSync {
  readonly #path: string
  readonly #sync: (log: FileHandle) => Promise<void>
  /** It exists while a connection is open that has written. */
  #log: Promise<FileHandle> | undefined
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** @param sync for tests: no disk fails when it is asked to */
  constructor(database: string, sync = (log: FileHandle): Promise<void> => log.datasync()) {
    this.#path = `${database}-wal`
    this.#sync = sync
  }

  /** Resolves when all that was committed before the call survives a power cut. */
  flush(): Promise<void> {
    this.#next ??= this.#after(this.#running)
    return this.#next
  }

  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => undefined)
    const log = this.#log
    this.#log = undefined
    await (await log?.catch(() => undefined))?.close()
  }

  async #after(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => undefined)
    this.#running = this.#next
    this.#next = undefined
    await this.#sync(await this.#opened())
  }

  async #opened(): Promise<FileHandle> {
    try {
      // For writing: Windows flushes nothing else.
      return await (this.#log ??= open(this.#path, 'r+'))
    } catch (error) {
      this.#log = undefined
      throw error
    }
  }
}
