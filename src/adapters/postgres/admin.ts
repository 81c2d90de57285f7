import { LettersAdmin, type QueueLetters } from '../../contract/letters-admin.ts'
import type { Subscription } from '../../contract/transport.ts'
import type { QueueCounts, TransportAdmin } from '../../contract/transport-admin.ts'
import { DeadLetters } from './dead-letters.ts'
import type { EventTables } from './event-tables.ts'
import { perSecond } from './rates.ts'
import { forget, remember } from './removed.ts'
import { lockSubscriptions, readRouting, unbind } from './subscriptions.ts'

/** How many rows one transaction deletes. */
const batch = 1_000
/** So many of a kind are counted; where there are more, they are given as so many. A million takes a tenth of a second. */
const mostCounted = 1_000_000

const counted = (from: string): string =>
  `(SELECT count(*) FROM (SELECT 1 ${from} LIMIT ${mostCounted}) counted)::int`
const ready = 'FROM {messages} WHERE queue = q.id AND lease IS NULL AND due IS NULL AND NOT aside'
const aside = 'FROM {messages} WHERE queue = q.id AND aside'
const waiting = (due: string): string => `FROM {messages} WHERE queue = q.id AND lease IS NULL AND due ${due}`
const held = (lease: string): string => `FROM {messages} WHERE queue = q.id AND lease ${lease}`

/** All of one queue in one reading. Those whose holder has let the lease run out wait. */
const counts = `
  SELECT name,
    ${counted(ready)} + ${counted(aside)} + ${counted(held('<= now()'))} + ${counted(waiting('<= now()'))} AS depth,
    ${counted(held('> now()'))} AS "inFlight",
    ${counted(waiting('> now() AND failures > 0'))} AS retrying,
    ${counted(waiting('> now() AND failures = 0'))} AS delayed,
    ${counted('FROM {dead} WHERE queue = q.id')} AS dead,
    coalesce((SELECT extract(epoch FROM now() - min(taken)) * 1000 FROM (
      (SELECT taken ${ready} ORDER BY seq LIMIT 1)
      UNION ALL (SELECT taken ${aside} ORDER BY seq LIMIT 1)
      UNION ALL (SELECT min(taken) FROM (SELECT taken ${waiting('<= now()')} ORDER BY due, seq LIMIT 100) due)
      UNION ALL (SELECT min(taken) FROM (SELECT taken ${held('<= now()')} LIMIT 100) lapsed)
    ) oldest), 0)::float8 AS "oldestMs",
    coalesce(r.handled, 0)::float8 AS "handledPerSecond",
    coalesce(r.failed, 0)::float8 AS "failedPerSecond"
  FROM {queues} q LEFT JOIN LATERAL (${perSecond}) r ON true
  ORDER BY name COLLATE "C"`

const deleteSome = (table: string): string => `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM ${table} WHERE queue = $1 LIMIT $2
))`
/** What a queue consists of, to be removed in pieces. */
const partsOfQueue = [deleteSome('{messages}'), deleteSome('{dead}')]
/** What else is of a queue. */
const restOfQueue = ['{slots}', '{sessions}', '{rates}']

export class PostgresAdmin extends LettersAdmin implements TransportAdmin {
  readonly #open: () => Promise<EventTables>

  constructor(open: () => Promise<EventTables>) {
    super()
    this.#open = open
  }

  protected override async letters(queue: string): Promise<QueueLetters> {
    const tables = await this.#open()
    return new DeadLetters(tables, (await tables.subscriptions.queue(queue)).id)
  }

  async queues(): Promise<readonly QueueCounts[]> {
    const { database, rates } = await this.#open()
    await rates.flush()
    return database.transaction(async (transaction) => {
      // For its looks the statement seems worth compiling, which takes a second or two.
      await transaction.run('SET LOCAL jit = off')
      return transaction.rows<QueueCounts>(counts)
    })
  }

  async removeQueue(queue: string): Promise<number> {
    const { database, subscriptions, wakeUp } = await this.#open()
    // Nothing new comes in from here on; if the process dies in between, the rest goes with the next try.
    const id = await database.transaction(async (transaction) => {
      await lockSubscriptions(transaction)
      const found = await subscriptions.queue(queue, transaction)
      await unbind(transaction, found.id, undefined)
      return found.id
    })
    let removed = 0
    for (const sql of partsOfQueue) {
      for (let deleted = batch; deleted === batch; removed += deleted)
        deleted = await database.run(sql, id, batch)
    }
    // In the transaction that ends it: until then its sessions may move rows from one part to another.
    removed += await database.transaction(async (transaction) => {
      await transaction.run('DELETE FROM {queues} WHERE id = $1', id)
      let last = 0
      for (const sql of partsOfQueue) last += await transaction.run(sql, id, null)
      for (const table of restOfQueue) await transaction.run(`DELETE FROM ${table} WHERE queue = $1`, id)
      await transaction.run(remember, id)
      await transaction.run(forget)
      return last
    })
    // Its sessions learn of it.
    wakeUp.announce([id])
    return removed
  }

  async unbind(queue: string, list: readonly Subscription[]): Promise<void> {
    const { database, subscriptions } = await this.#open()
    await database.transaction(async (transaction) => {
      await lockSubscriptions(transaction)
      const { id } = await subscriptions.queue(queue, transaction)
      await unbind(transaction, id, list)
    })
  }

  async redriveUnrouted(): Promise<number> {
    const { database, unrouted, wakeUp } = await this.#open()
    let count = 0
    const queues = new Set<number>()
    for (let after: string | undefined = '0'; after !== undefined;) {
      const from: string = after
      const page = await database.transaction(async (transaction) => {
        await lockSubscriptions(transaction)
        return unrouted.retry(transaction, from, (await readRouting(transaction)).routes)
      })
      count += page.routed
      for (const queue of page.queues) queues.add(queue)
      after = page.next
    }
    wakeUp.announce(queues)
    return count
  }
}
