import { closeSync, openSync, utimesSync, watch, type FSWatcher } from 'node:fs'
import type { Notice } from '../../contract/transport.ts'
import { messageOf } from '../../errors/millrace-error.ts'

/** How often a session that waits looks for changes by itself, in milliseconds, with a watched file and without. */
const slowPoll = 1_000
const fastPoll = 500

/**
 * Tells the sessions of this process, and through a file those of others, that there may be something to take. Writers
 * touch `<path>-wake` after a commit, consumers watch it: within a millisecond, where the database's own log would wake
 * a consumer for its own acks too. It is a hint: a crash may lie between commit and touch, so sessions also poll slowly.
 */
export class WakeUp {
  readonly #path: string
  readonly #waiting = new Set<() => void>()
  readonly #listeners = new Set<(notice: Notice) => void>()
  #watcher: FSWatcher | undefined
  #degraded: Notice | undefined
  #count = 0

  constructor(path: string) {
    this.#path = `${path}-wake`
  }

  /** Grows whenever there may be something new. */
  get count(): number {
    return this.#count
  }

  get pollEvery(): number {
    return this.#degraded === undefined ? slowPoll : fastPoll
  }

  /** Begins to watch for a session, which hears of degradation. Returns the end of it. */
  join(notice: (notice: Notice) => void): () => void {
    this.#listeners.add(notice)
    if (this.#degraded !== undefined) notice(this.#degraded)
    else if (this.#watcher === undefined) this.#watch()
    return () => {
      this.#listeners.delete(notice)
      if (this.#listeners.size === 0) this.#unwatch()
    }
  }

  /** Calls `run` at every hint until it is taken back. */
  onHint(run: () => void): () => void {
    this.#waiting.add(run)
    return () => void this.#waiting.delete(run)
  }

  /** For everybody: something was committed that others may take. */
  announce(): void {
    this.#hint()
    this.#touch()
  }

  #hint(): void {
    this.#count++
    for (const run of this.#waiting) run()
  }

  close(): void {
    this.#unwatch()
  }

  /** In the event loop: that takes a microsecond, and fifty in a thread of libuv. */
  #touch(): void {
    const now = new Date()
    try {
      utimesSync(this.#path, now, now)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#make()
      else this.#degrade(error)
    }
  }

  #make(): void {
    try {
      closeSync(openSync(this.#path, 'a'))
    } catch (error) {
      this.#degrade(error)
    }
  }

  #watch(): void {
    this.#make()
    if (this.#degraded !== undefined) return
    try {
      const watcher = watch(this.#path, { persistent: false }, (event) => {
        if (event === 'rename') this.#rearm(watcher)
        this.#hint()
      })
      watcher.on('error', (error) => this.#degrade(error))
      this.#watcher = watcher
    } catch (error) {
      this.#degrade(error)
    }
  }

  /** The watch follows the file that was moved or deleted; the writers touch the one of that name. */
  #rearm(watcher: FSWatcher): void {
    if (watcher !== this.#watcher) return
    this.#unwatch()
    this.#watch()
  }

  #unwatch(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #degrade(cause: unknown): void {
    if (this.#degraded !== undefined) return
    this.#unwatch()
    const message = `${this.#path}: ${messageOf(cause)}; polling every ${fastPoll} ms instead`
    this.#degraded = { code: 'WAKE_UP_DEGRADED', message, cause }
    for (const listener of this.#listeners) listener(this.#degraded)
    this.#hint()
  }
}
