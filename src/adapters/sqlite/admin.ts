import { setImmediate as turn } from 'node:timers/promises'
import type { QueueCounts, StoredDeadLetter, Subscription, TransportAdmin } from '../../contract/transport.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import { timesOf } from './boot.ts'
import { DeadLetters } from './dead-letters.ts'
import type { EventFile } from './event-file.ts'

/** How many rows one transaction deletes. Between two of them all others have their turn. */
const batch = 1_000

const waiting = (steady: 0 | 1, due: string): string =>
  `(SELECT count(*) FROM messages INDEXED BY waiting WHERE queue = q.id AND steady = ${steady} AND due ${due})`
/** The place of the first that nobody holds. */
const first = (index: string, aside: 0 | 1): string => `(
  SELECT min(seq) FROM messages m INDEXED BY ${index} WHERE queue = q.id AND due IS NULL AND aside = ${aside}
  AND NOT EXISTS (SELECT 1 FROM held WHERE seq = m.seq AND lease > :monotonic)
)`

/** The place of the first that is due and not promoted: of all those, the oldest, and found without reading any other. */
const firstDue = (steady: 0 | 1, time: string): string => `(
  SELECT min(seq) FROM messages INDEXED BY waiting WHERE queue = q.id AND steady = ${steady} AND due <= ${time}
)`

/**
 * All of one queue in one reading. Ready rows that nobody holds wait; so do those whose holder has let the lease run out,
 * and those that are due and not promoted yet.
 */
const counts = `
  SELECT id, name,
    (SELECT count(*) FROM messages INDEXED BY ready WHERE queue = q.id AND due IS NULL AND aside = 0)
      + (SELECT count(*) FROM messages INDEXED BY aside WHERE queue = q.id AND due IS NULL AND aside = 1) AS ready,
    (SELECT count(*) FROM held WHERE queue = q.id AND lease > :monotonic) AS inFlight,
    ${waiting(0, '<= :now')} + ${waiting(1, '<= :steady')} AS due,
    ${waiting(1, '> :steady AND failures > 0')} AS retrying,
    ${waiting(0, '> :now')} + ${waiting(1, '> :steady')} AS later,
    (SELECT count(*) FROM dead WHERE queue = q.id) AS dead,
    ifnull((
      SELECT min(taken) FROM messages
      WHERE seq IN (${first('ready', 0)}, ${first('aside', 1)}, ${firstDue(0, ':now')}, ${firstDue(1, ':steady')})
    ), :now) AS oldest
  FROM queues q ORDER BY name`

const deleteMessages = [
  'DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?))',
  'DELETE FROM held WHERE seq IN (SELECT value FROM json_each(?))',
]
/** What a queue consists of, to be removed in pieces. */
const someOfQueue = [
  {
    select:
      'SELECT seq AS row FROM messages INDEXED BY ready WHERE queue = ? AND due IS NULL AND aside = 0 LIMIT ?',
    delete: deleteMessages,
  },
  {
    select:
      'SELECT seq AS row FROM messages INDEXED BY aside WHERE queue = ? AND due IS NULL AND aside = 1 LIMIT ?',
    delete: deleteMessages,
  },
  {
    select: 'SELECT seq AS row FROM messages INDEXED BY waiting WHERE queue = ? AND due IS NOT NULL LIMIT ?',
    delete: deleteMessages,
  },
  {
    select: 'SELECT letter AS row FROM dead WHERE queue = ? LIMIT ?',
    delete: ['DELETE FROM dead WHERE letter IN (SELECT value FROM json_each(?))'],
  },
]

interface CountsRow {
  readonly id: number
  readonly name: string
  readonly ready: number
  readonly inFlight: number
  readonly due: number
  readonly retrying: number
  readonly later: number
  readonly dead: number
  readonly oldest: number
}

export class SqliteAdmin implements TransportAdmin {
  readonly #open: () => Promise<EventFile>

  constructor(open: () => Promise<EventFile>) {
    this.#open = open
  }

  async queues(): Promise<readonly QueueCounts[]> {
    const { database, rates, clock, booted } = await this.#open()
    const times = timesOf(clock, booted)
    await rates.flush()
    return database.read(() =>
      database.all<CountsRow>(counts, { ...times }).map((row) => ({
        name: row.name,
        depth: row.ready - row.inFlight + row.due,
        inFlight: row.inFlight,
        retrying: row.retrying,
        delayed: row.later - row.retrying,
        dead: row.dead,
        oldestMs: Math.max(times.now - row.oldest, 0),
        ...rates.perSecond(row.id),
      })),
    )
  }

  async deadLetters(
    queue: string,
    { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly StoredDeadLetter[]> {
    return new DeadLetters(await this.#open()).list(queue, limit, after)
  }

  async deadLetter(queue: string, letter: string): Promise<StoredDeadLetter | undefined> {
    return new DeadLetters(await this.#open()).get(queue, letter)
  }

  async redrive(queue: string, letters: readonly string[] | undefined, replace?: Outgoing): Promise<number> {
    return new DeadLetters(await this.#open()).redrive(queue, letters, replace)
  }

  async purge(queue: string, letters: readonly string[] | undefined): Promise<number> {
    return new DeadLetters(await this.#open()).purge(queue, letters)
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
        for (const sql of statements) database.run(sql, JSON.stringify(rows))
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
