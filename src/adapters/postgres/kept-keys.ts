import { keysKeptBack, stillKeptBack } from './claim-sql.ts'
import type { Database } from './database.ts'

/** Keys that one exchange looks at. */
const most = 128

/**
 * The keys, in the slots of a session, of which an event may keep back those behind it: one is parked, has lapsed, or
 * stands aside at its place. Only this session makes such events, and what it found when it got the slot; so while there is no
 * such key, claims need not look.
 */
export class KeptKeys {
  readonly #database: Database
  readonly #queue: number
  readonly #keys = new Set<string>()
  /** Of which something may be free now. */
  readonly #changed = new Set<string>()
  /** Whose parked event is due, and was looked at. */
  readonly #stuck = new Set<string>()

  constructor(database: Database, queue: number) {
    this.#database = database
    this.#queue = queue
  }

  get some(): boolean {
    return this.#keys.size > 0
  }

  get someChanged(): boolean {
    return this.#changed.size > 0
  }

  clear(): void {
    this.#keys.clear()
    this.#changed.clear()
    this.#stuck.clear()
  }

  add(key: string): void {
    this.#keys.add(key)
    this.changed(key)
  }

  /** Something of them was set aside, behind what may have lapsed unnoticed. */
  aside(keys: readonly string[]): void {
    for (const key of keys) this.#keys.add(key)
  }

  /** Something of the key was settled. */
  changed(key: string): void {
    if (!this.#keys.has(key)) return
    this.#changed.add(key)
    this.#stuck.delete(key)
  }

  /** Their parked events are due. */
  due(keys: readonly string[]): void {
    for (const key of keys) {
      if (this.#stuck.has(key)) continue
      this.add(key)
      this.#stuck.add(key)
    }
  }

  /** All are to be looked at: somebody who had the slot before may have settled something late. */
  look(): void {
    this.#stuck.clear()
    for (const key of this.#keys) this.#changed.add(key)
  }

  /** Takes in those of slots that the session has just got, or whose events have lapsed. */
  async load(slots: readonly number[]): Promise<void> {
    const rows = await this.#database.rows<{ key: string }>(keysKeptBack, this.#queue, slots)
    for (const { key } of rows) this.add(key)
  }

  /** Some of those that have changed. They count as looked at from now on. */
  next(): readonly string[] {
    const keys = [...this.#changed].slice(0, most)
    for (const key of keys) this.#changed.delete(key)
    return keys
  }

  /** Forgets those of these keys that keep nothing back any more. `again`: there was more to take than was wanted. */
  async prune(slots: readonly number[], keys: readonly string[], again: boolean): Promise<void> {
    const rows = await this.#database.rows<{ key: string }>(stillKeptBack, this.#queue, slots, keys)
    const still = new Set(rows.map(({ key }) => key))
    for (const key of keys) {
      if (!still.has(key)) this.#keys.delete(key)
      else if (again) this.#changed.add(key)
    }
  }
}
