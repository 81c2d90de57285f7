import type { Database } from './database.ts'

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

/** How many old events one transaction deletes, and how often, in milliseconds, it looks for them. */
const swept = 1_000
const sweepEvery = 60_000

const keep =
  'INSERT INTO unrouted (topic, due, taken, id, type, key, head, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
const page = 'SELECT seq, topic, type FROM unrouted WHERE seq > ? ORDER BY seq LIMIT ?'
const copy = `
  INSERT INTO messages (queue, due, taken, id, type, key, head, data)
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

  keep({ topic, due, taken, id, type, key, head, data }: UnroutedEvent): void {
    this.#database.run(keep, topic, due, taken, id, type, key, head, data)
    // The clock may have been set back.
    if (Math.abs(taken - this.#sweptAt) < sweepEvery) return
    const gone = this.#database.run(sweep, taken - this.#retention, swept)
    // As long as there are more, the next event takes some with it.
    if (gone < swept) this.#sweptAt = taken
  }

  /** Routes the events behind `after` anew, at most `limit` of them, in their order. `next` is undefined at the end. */
  retry(
    after: number,
    limit: number,
    route: Route,
    now: number,
  ): { routed: number; next: number | undefined } {
    const rows = this.#database.all<{ seq: number; topic: string; type: string }>(page, after, limit)
    let routed = 0
    for (const { seq, topic, type } of rows) {
      const queues = route(topic, type)
      if (queues.length === 0) continue
      for (const queue of queues) this.#database.run(copy, queue, now, seq)
      this.#database.run('DELETE FROM unrouted WHERE seq = ?', seq)
      routed++
    }
    return { routed, next: rows.length < limit ? undefined : rows.at(-1)?.seq }
  }
}
