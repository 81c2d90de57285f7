import { Fifo } from './fifo.ts'
import type { Held } from './held.ts'

interface Lane {
  /** The event of the key whose turn it is: it may start, runs, or goes to a retry. None once the lane has ended. */
  head: Held | undefined
  /** Events of the key that wait for the one before them. */
  readonly waiting: Held[]
  /** The event before them has gone to a retry that parks: they may not run before it. */
  parked: boolean
}

/**
 * Which held event may start next. Without order: as they came. By key: one of each key at a time, as they came; events
 * without a key never wait for each other.
 */
export class Lanes {
  readonly #byKey: boolean
  readonly #lanes = new Map<string, Lane>()
  readonly #ready = new Fifo<Held>()

  constructor(byKey: boolean) {
    this.#byKey = byKey
  }

  /** Gives false if the event may not even wait here: its key was parked in the meantime. */
  add(held: Held): boolean {
    const key = this.#keyOf(held)
    if (key !== undefined) {
      const lane = this.#lanes.get(key)
      if (lane?.parked === true) return false
      if (lane !== undefined) {
        lane.waiting.push(held)
        return true
      }
      this.#lanes.set(key, { head: held, waiting: [], parked: false })
    }
    this.#ready.push(held)
    return true
  }

  /** The next event that may start; it stays until `shift`. */
  peek(): Held | undefined {
    return this.#ready.peek()
  }

  shift(): Held | undefined {
    return this.#ready.shift()
  }

  /** The event is done with, or given up: the next of its key may start. */
  leave(held: Held): void {
    const lane = this.#ledBy(held)
    if (lane === undefined) return
    const next = lane.waiting.shift()
    if (next === undefined) return this.#end(held.received.key as string, lane)
    lane.head = next
    this.#ready.push(next)
  }

  /** The event goes to a retry before which nothing of its key may run. Gives those that waited behind it, to be given back. */
  park(held: Held): readonly Held[] {
    const lane = this.#ledBy(held)
    if (lane === undefined) return []
    lane.parked = true
    return lane.waiting.splice(0)
  }

  /** Somebody else has the event: takes out those of its key that wait behind it, to be given back. */
  behind(held: Held): readonly Held[] {
    const key = this.#keyOf(held)
    const lane = key === undefined ? undefined : this.#lanes.get(key)
    if (lane === undefined) return []
    const place = lane.waiting.indexOf(held) + 1
    return lane.head === held || place > 0 ? lane.waiting.splice(place) : []
  }

  /** The system knows of the retry, so it holds the key back itself now. */
  unpark(held: Held): void {
    const lane = this.#ledBy(held)
    if (lane?.parked === true) this.#end(held.received.key as string, lane)
  }

  /** A table that the Map has grown out of may still hold the lane, and grow old (see `Backlog`); the event does not with it. */
  #end(key: string, lane: Lane): void {
    this.#lanes.delete(key)
    lane.head = undefined
  }

  /** undefined where it makes no difference: not even looked up then, as a key that has just come must be hashed for that. */
  #keyOf(held: Held): string | undefined {
    return this.#byKey ? held.received.key : undefined
  }

  /** An event that runs alone, past all others, leads no lane. */
  #ledBy(held: Held): Lane | undefined {
    const key = this.#keyOf(held)
    const lane = key === undefined ? undefined : this.#lanes.get(key)
    return lane?.head === held ? lane : undefined
  }

  /** Takes out everything that has not started. Keys whose event is running stay taken. */
  drain(): readonly Held[] {
    const all = this.#ready.drain()
    const idle = new Set(all.map((held) => held.received.key))
    for (const [key, lane] of this.#lanes) {
      all.push(...lane.waiting.splice(0))
      if (idle.has(key)) this.#end(key, lane)
    }
    return all
  }
}
