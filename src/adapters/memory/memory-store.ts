import { systemClock, type Clock } from '../../clock/clock.ts'
import type { Condition, Entry, PutResult, StoreDriver, StoreFeatures } from '../../contract/store.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { sizeOf, type Raw } from '../../event/payload.ts'
import { Heap } from './heap.ts'
import { copy } from './stored-event.ts'

const features: StoreFeatures = {
  durable: 'memory',
  atomic: true,
  clock: 'process',
  ttlResolution: 1,
  maxBytes: 16 * 1024 * 1024,
  processes: false,
}

/** Bytes that may be held before puts are refused. */
const defaultRoom = 512 * 1024 * 1024
/** Bytes that an entry takes beside its value, about. */
const placeBytes = 512
/** How many expired entries one call removes at most: more than it can add, and never so many that somebody waits. */
const sweptAtOnce = 16

interface Kept {
  readonly key: string
  readonly version: string
  readonly value: Raw
  readonly size: number
  /** By the monotonic clock; Infinity: never. */
  end: number
  slot: number
}

/** Entries in the memory of this process. */
export class MemoryStore implements StoreDriver {
  readonly system = 'memory'
  readonly features: StoreFeatures = features
  readonly #clock: Clock
  readonly #room: number
  readonly #entries = new Map<string, Kept>()
  readonly #ends = new Heap<Kept>((a, b) => a.end < b.end)
  #bytes = 0
  #versions = 0

  /** @param options.room bytes that may be held before puts are refused. Default: 512 MiB */
  constructor({
    clock = systemClock,
    room = defaultRoom,
  }: { readonly clock?: Clock; readonly room?: number } = {}) {
    this.#clock = clock
    this.#room = room
  }

  /** How many entries take room, expired ones that were not removed yet included. */
  get held(): number {
    return this.#entries.size
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#sweep()
    return entryOf(this.#find(key))
  }

  async put(key: string, value: Raw, ttl: number | undefined, condition: Condition): Promise<PutResult> {
    this.#sweep()
    const { ifAbsent, ifVersion } = condition
    const found = this.#find(key)
    const isWrong =
      (ifAbsent && found !== undefined) || (ifVersion !== undefined && found?.version !== ifVersion)
    if (isWrong) return { stored: false, current: entryOf(found) }
    const size = placeBytes + sizeOf(value)
    if (this.#bytes - (found?.size ?? 0) + size > this.#room) {
      const message = `The memory store holds ${Math.round(this.#bytes / 2 ** 20)} MiB and takes no more until entries expire or are deleted`
      throw new MillraceError('STORE_FULL', message)
    }
    this.#remove(found)
    const kept: Kept = {
      key,
      version: String(++this.#versions),
      value,
      size,
      end: this.#endOf(ttl),
      slot: -1,
    }
    this.#entries.set(key, kept)
    this.#bytes += size
    if (ttl !== undefined) this.#ends.push(kept)
    return { stored: true, version: kept.version }
  }

  async touch(key: string, ttl: number, ifVersion: string | undefined): Promise<string | undefined> {
    this.#sweep()
    const found = this.#find(key)
    if (found === undefined || (ifVersion ?? found.version) !== found.version) return undefined
    const isNew = found.end === Infinity
    found.end = this.#endOf(ttl)
    if (isNew) this.#ends.push(found)
    else this.#ends.moved(found)
    return found.version
  }

  async delete(key: string, ifVersion: string | undefined): Promise<boolean> {
    this.#sweep()
    const found = this.#find(key)
    if (found === undefined || (ifVersion ?? found.version) !== found.version) return false
    this.#remove(found)
    return true
  }

  async close(): Promise<void> {
    this.#entries.clear()
  }

  #endOf(ttl: number | undefined): number {
    return ttl === undefined ? Infinity : this.#clock.monotonic() + ttl
  }

  /** An entry whose time is over is none. */
  #find(key: string): Kept | undefined {
    const kept = this.#entries.get(key)
    if (kept === undefined || kept.end > this.#clock.monotonic()) return kept
    this.#remove(kept)
    return undefined
  }

  #sweep(): void {
    const now = this.#clock.monotonic()
    for (let i = 0; i < sweptAtOnce; i++) {
      const first = this.#ends.peek()
      if (first === undefined || first.end > now) return
      this.#remove(first)
    }
  }

  #remove(kept: Kept | undefined): void {
    if (kept === undefined) return
    this.#entries.delete(kept.key)
    this.#bytes -= kept.size
    if (kept.end !== Infinity) this.#ends.remove(kept)
  }
}

function entryOf(kept: Kept | undefined): Entry | undefined {
  return kept && { value: copy(kept.value), version: kept.version }
}
