import { fdatasyncSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'

/** How long the event loop may stand still for a sync, in milliseconds. */
const quick = 1
/** When a sync has taken longer, the next in the event loop comes after so many times as long, or when one beside it was quick. */
const rest = 100

/** How a file is brought to the disk. */
export interface Disk {
  sync(log: FileHandle): Promise<void>
  syncNow(log: FileHandle): void
}

const realDisk: Disk = {
  sync: (log) => log.datasync(),
  syncNow: ({ fd }) => fdatasyncSync(fd),
}

/**
 * Brings SQLite's write-ahead log to the disk, beside the event loop: a commit that waits for the disk itself stops
 * everything else in the process for as long. One sync is under way at a time; whoever commits meanwhile shares the next.
 *
 * SQLite locks the database and `-shm`, never the log, so that opening and closing it here frees no lock of the process.
 */
export class LogSync {
  readonly #path: string
  readonly #disk: Disk
  /** It exists while a connection is open that has written. */
  #log: FileHandle | undefined
  /** No sync in the event loop before. */
  #quickFrom = 0
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** @param disk for tests: none fails when it is asked to */
  constructor(database: string, disk = realDisk) {
    this.#path = `${database}-wal`
    this.#disk = disk
  }

  /**
   * `flush` in the event loop, while the disk is quick: the way to a thread and back takes 170 us of processor time. Tells
   * whether that was done. Not while a sync is under way beside the event loop: an error would be told to one of the two.
   */
  flushNow(): boolean {
    const began = performance.now()
    if (this.#log === undefined || this.#running !== undefined || began < this.#quickFrom) return false
    this.#disk.syncNow(this.#log)
    const ended = performance.now()
    if (ended - began > quick) this.#quickFrom = ended + rest * (ended - began)
    return true
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
    await log?.close()
  }

  async #after(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => undefined)
    this.#running = this.#next
    this.#next = undefined
    try {
      // For writing: Windows flushes nothing else.
      this.#log ??= await open(this.#path, 'r+')
      const began = performance.now()
      await this.#disk.sync(this.#log)
      if (performance.now() - began <= quick) this.#quickFrom = 0
    } finally {
      this.#running = undefined
    }
  }
}
