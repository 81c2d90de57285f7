import type { Database } from './database.ts'
import { lastPlace, makeNewReady } from './ready-list.ts'
import type { Statements } from './statements.ts'

/** One event that no queue subscribed to. */
interface UnroutedEvent {
  readonly topic: string
  readonly due: number | null
  readonly taken: number
  readonly id: string
  readonly type: string
  readonly key: string | null
  readonly head: string
  readonly data: string | Uint8Array
}

/** The queues that an event now goes to. */
export type Route = (topic: string, type: string) => readonly number[]

/** How many events one transaction deletes or moves. */
const batch = 500
/** How often events are looked for whose time is over, in milliseconds. */
const sweepEvery = 60_000

const keep =
  'INSERT INTO unrouted (topic, due, taken, id, type, key, head, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
const page = 'SELECT seq, topic, type FROM unrouted WHERE seq > ? ORDER BY seq LIMIT ?'
const copy = `
  INSERT INTO events (queue, due, taken, id, type, key, head, data)
  SELECT ?, iif(due > ?, due, NULL), taken, id, type, key, head, data FROM unrouted WHERE seq = ?`
const sweep =
  'DELETE FROM unrouted WHERE seq IN (SELECT seq FROM unrouted WHERE taken < ? ORDER BY taken LIMIT ?)'

/** The events that no queue subscribes to, for as long as `retention` says. All methods belong in a write transaction. */
export class Unrouted {
  readonly #database: Database
  readonly #retention: number
  #sweptAt = Number.NEGATIVE_INFINITY

  /** @param retention milliseconds */
  constructor(database: Database, retention: number) {
    this.#database = database
    this.#retention = retention
  }

  /** @param within the transaction that the event is published in */
  keep({ topic, due, taken, id, type, key, head, data }: UnroutedEvent, within: Statements): void {
    within.run(keep, topic, due, taken, id, type, key, head, data)
  }

  /** Deletes some whose time is over, if it is time to look. */
  sweep(now: number, within: Statements): void {
    // The clock may have been set back.
    if (Math.abs(now - this.#sweptAt) < sweepEvery) return
    const gone = within.run(sweep, now - this.#retention, batch)
    // As long as there are more, the next look is at once.
    if (gone < batch) this.#sweptAt = now
  }

  /** Routes some of the events behind `after` anew, in their order. Goes on behind `next`; undefined at the end. */
  retry(after: number, route: Route, now: number): { routed: number; next: number | undefined } {
    const rows = this.#database.all<{ seq: number; topic: string; type: string }>(page, after, batch)
    const place = lastPlace(this.#database)
    let next = after
    let routed = 0
    for (const { seq, topic, type } of rows) {
      const queues = route(topic, type)
      if (queues.length === 0) {
        // A place behind a row that stays: those of rows that are gone may be used again.
        next = seq
        continue
      }
      for (const queue of queues) this.#database.run(copy, queue, now, seq)
      this.#database.run('DELETE FROM unrouted WHERE seq = ?', seq)
      routed++
    }
    makeNewReady(this.#database, place)
    return { routed, next: rows.length < batch ? undefined : next }
  }
}
