import { setImmediate as turn } from 'node:timers/promises'
import { LettersAdmin, type QueueLetters } from '../../contract/letters-admin.ts'
import type { Subscription } from '../../contract/transport.ts'
import type { QueueCounts, TransportAdmin } from '../../contract/transport-admin.ts'
import { timesOf } from './boot.ts'
import { DeadLetters } from './dead-letters.ts'
import type { EventFile } from './event-file.ts'
import { perSecond } from './rates.ts'

/** How many rows one transaction deletes. Between two of them all others have their turn. */
const batch = 1_000

const waiting = (steady: 0 | 1, due: string): string =>
  `FROM events INDEXED BY waiting WHERE queue = q.id AND steady = ${steady} AND due ${due}`
const countOf = (from: string): string => `(SELECT count(*) ${from})`
const firstOf = (from: string): string => `(SELECT min(seq) ${from})`

const inList = (list: 'ready' | 'aside'): string => `FROM ${list} WHERE queue = q.id`
const lapsed = 'FROM held INDEXED BY held_lease WHERE queue = q.id AND lease <= :monotonic'
/** What is due and not promoted yet. */
const due = [waiting(0, '<= :now'), waiting(1, '<= :steady')]
/** Everything that waits and is due, in parts whose first, and so whose oldest, is found quickly. */
const depth = [inList('ready'), inList('aside'), lapsed, ...due]

/** All of one queue in one reading. */
const counts = `
  SELECT id, name,
    ${depth.map(countOf).join(' + ')} AS depth,
    (SELECT count(*) FROM held WHERE queue = q.id AND lease > :monotonic) AS inFlight,
    ${countOf(waiting(1, '> :steady AND failures > 0'))} AS retrying,
    ${countOf(waiting(0, '> :now'))} + ${countOf(waiting(1, '> :steady'))} AS later,
    (SELECT count(*) FROM dead WHERE queue = q.id) AS dead,
    ifnull((SELECT min(taken) FROM events WHERE seq IN (${depth.map(firstOf).join(', ')})), :now) AS oldest
  FROM queues q ORDER BY name`

const these = 'IN (SELECT value FROM json_each(:rows))'
const deleteEvents = ['events', 'held'].map((table) => `DELETE FROM ${table} WHERE seq ${these}`)
/** What a queue consists of, to be removed in pieces. */
const someOfQueue = [
  {
    select: 'SELECT seq AS row FROM ready WHERE queue = ? LIMIT ?',
    delete: [`DELETE FROM ready WHERE queue = :queue AND seq ${these}`, ...deleteEvents],
  },
  {
    select: 'SELECT seq AS row FROM aside WHERE queue = ? ORDER BY key, seq LIMIT ?',
    delete: [
      `DELETE FROM aside WHERE queue = :queue AND (key, seq) IN (
        SELECT key, seq FROM aside WHERE queue = :queue ORDER BY key, seq LIMIT json_array_length(:rows)
      )`,
      ...deleteEvents,
    ],
  },
  {
    select: 'SELECT seq AS row FROM held INDEXED BY held_lease WHERE queue = ? LIMIT ?',
    delete: deleteEvents,
  },
  {
    select: 'SELECT seq AS row FROM events INDEXED BY waiting WHERE queue = ? AND due IS NOT NULL LIMIT ?',
    delete: deleteEvents,
  },
  {
    select: 'SELECT letter AS row FROM dead WHERE queue = ? LIMIT ?',
    delete: [`DELETE FROM dead WHERE letter ${these}`],
  },
]

interface CountsRow {
  readonly id: number
  readonly name: string
  readonly depth: number
  readonly inFlight: number
  readonly retrying: number
  readonly later: number
  readonly dead: number
  readonly oldest: number
}

export class SqliteAdmin extends LettersAdmin implements TransportAdmin {
  readonly #open: () => Promise<EventFile>

  constructor(open: () => Promise<EventFile>) {
    super()
    this.#open = open
  }

  protected override async letters(queue: string): Promise<QueueLetters> {
    const file = await this.#open()
    return new DeadLetters(file, await file.database.read(() => file.subscriptions.queue(queue)))
  }

  async queues(): Promise<readonly QueueCounts[]> {
    const { database, rates, clock, booted } = await this.#open()
    const times = timesOf(clock, booted)
    await rates.flush()
    return database.read(() =>
      database.all<CountsRow>(counts, { ...times }).map((row) => ({
        name: row.name,
        depth: row.depth,
        inFlight: row.inFlight,
        retrying: row.retrying,
        delayed: row.later - row.retrying,
        dead: row.dead,
        oldestMs: Math.max(times.now - row.oldest, 0),
        ...perSecond(database, row.id, times.now),
      })),
    )
  }

  async removeQueue(queue: string): Promise<number> {
    const { database, subscriptions, wakeUp } = await this.#open()
    // Nothing new comes in from here on; if the process dies in between, the rest goes with the next try.
    const id = await database.write(() => {
      const found = subscriptions.queue(queue)
      subscriptions.unbindAll(found)
      return found
    })
    const removeSome = (): number => {
      let room = batch
      for (const { select, delete: statements } of someOfQueue) {
        const rows = database.all<{ row: number }>(select, id, room).map(({ row }) => row)
        for (const sql of statements) database.run(sql, { queue: id, rows: JSON.stringify(rows) })
        room -= rows.length
      }
      // In the transaction that finds nothing: until then its sessions may move rows from one part to another.
      if (room === batch) {
        subscriptions.unbindAll(id)
        database.run('DELETE FROM rates WHERE queue = ?', id)
        database.run('DELETE FROM queues WHERE id = ?', id)
      }
      return batch - room
    }
    let count = 0
    for (let deleted = batch; deleted > 0;) {
      deleted = await database.write(removeSome)
      count += deleted
      await turn()
    }
    // Its sessions learn of it.
    wakeUp.announce()
    return count
  }

  async unbind(queue: string, list: readonly Subscription[]): Promise<void> {
    const { database, subscriptions } = await this.#open()
    await database.write(() => subscriptions.unbind(subscriptions.queue(queue), list))
  }

  async redriveUnrouted(): Promise<number> {
    const { database, subscriptions, unrouted, wakeUp, clock } = await this.#open()
    let count = 0
    for (let after: number | undefined = 0; after !== undefined;) {
      const from: number = after
      const page = await database.write(() => {
        subscriptions.refresh(database)
        return unrouted.retry(from, (topic, type) => subscriptions.route(topic, type), clock.now())
      })
      count += page.routed
      after = page.next
      await turn()
    }
    if (count > 0) wakeUp.announce()
    return count
  }
}
