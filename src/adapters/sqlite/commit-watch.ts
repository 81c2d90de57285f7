import { systemClock, type Timer } from '../../clock/clock.ts'
import { isOpen } from './caller.ts'
import type { SqliteTransaction } from './sqlite-transaction.ts'

/** When to look again, in milliseconds. After the last, whoever waits finds the events by looking himself, once a second. */
const pauses = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]

/**
 * Tells when callers' transactions have ended, of which SQLite tells nobody: looks at the end of the turn of the event loop, when
 * most of them are over, and then less and less often.
 */
export class CommitWatch {
  readonly #ended: () => void
  readonly #looks = new Map<SqliteTransaction, { looked: number; timer?: Timer }>()

  constructor(ended: () => void) {
    this.#ended = ended
  }

  /** Something was written in the transaction that is open now. */
  begin(connection: SqliteTransaction): void {
    const known = this.#looks.get(connection)
    known?.timer?.cancel()
    this.#looks.set(connection, { looked: 0 })
    setImmediate(() => this.#look(connection)).unref()
  }

  close(): void {
    for (const { timer } of this.#looks.values()) timer?.cancel()
    this.#looks.clear()
  }

  #look(connection: SqliteTransaction): void {
    const watched = this.#looks.get(connection)
    if (watched === undefined) return
    const pause = pauses[watched.looked++]
    if (isOpen(connection) && pause !== undefined) {
      watched.timer = systemClock.after(pause, () => this.#look(connection))
    } else {
      this.#looks.delete(connection)
      this.#ended()
    }
  }
}
