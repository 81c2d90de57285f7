import type { SQLInputValue } from 'node:sqlite'
import { PublishError, type PublishOutcome } from '../../contract/publish-error.ts'
import type { TransportPublishOptions } from '../../contract/transport.ts'
import { MillraceError, messageOf } from '../../errors/millrace-error.ts'
import { encodeHeads } from '../../event/head.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import { CallersTransaction } from './caller.ts'
import type { SqliteTransaction } from './sqlite-transaction.ts'
import { CommitUnknown } from './database.ts'
import type { EventFile } from './event-file.ts'
import { isPassing, storeError } from './failures.ts'
import { lastPlace, makeNewReady } from './ready-list.ts'
import type { Statements } from './statements.ts'
import { storedData } from './stored-event.ts'

const columns = ['queue', 'due', 'taken', 'id', 'type', 'key', 'head', 'data']
const row = `(${columns.map(() => '?').join(', ')})`
/** Rows that one statement inserts. Each by itself takes a microsecond more, of five; more at a time bring nothing. */
const mostRows = 8
/** For so many rows, beginning with none. */
const inserts = Array.from(
  { length: mostRows + 1 },
  (_, rows) => `INSERT INTO events (${columns.join(', ')}) VALUES ${Array(rows).fill(row).join(', ')}`,
)

/** What publishing needs of the file. */
type Shelf = Pick<EventFile, 'database' | 'subscriptions' | 'unrouted'>

/** Takes the events in one transaction: all of them or none. @throws PublishError */
export async function publish(
  events: readonly Outgoing[],
  { signal, placed }: TransportPublishOptions,
  now: number,
  file: Shelf,
): Promise<void> {
  const { database } = file
  try {
    // Before the transaction, which keeps other processes from writing.
    const heads = encodeHeads(events.map(({ head }) => head))
    await database.commit(() => insert(events, heads, now, file, database), signal)
    if (database.keepNow()) return
    placed?.()
    await database.keep()
  } catch (error) {
    throw publishError(error, events.length, signal)
  }
}

/** The same in the transaction of a caller, who commits it. Gives their connection. @throws PublishError */
export function publishWithin(
  given: unknown,
  events: readonly Outgoing[],
  now: number,
  file: Shelf,
): SqliteTransaction {
  const { path } = file.database
  try {
    const transaction = new CallersTransaction(given, path)
    const heads = encodeHeads(events.map(({ head }) => head))
    transaction.atomically(() => insert(events, heads, now, file, transaction))
    return transaction.connection
  } catch (error) {
    throw publishError(storeError(error, path), events.length, undefined)
  }
}

/** Into every queue that subscribes, or among the unrouted. Within a write transaction. */
function insert(
  events: readonly Outgoing[],
  heads: readonly string[],
  now: number,
  { subscriptions, unrouted }: Shelf,
  within: Statements,
): void {
  subscriptions.refresh(within)
  const place = lastPlace(within)
  const values: SQLInputValue[] = []
  let isKept = false
  for (let i = 0; i < events.length; i++) {
    const { topic, type, id, key = null, deliverAt } = events[i]!
    const data = storedData(events[i]!.data)
    const head = heads[i]!
    const queues = subscriptions.route(topic, type)
    const due = deliverAt !== undefined && deliverAt > now ? deliverAt : null
    if (queues.length === 0) {
      unrouted.keep({ topic, due, taken: now, id, type, key, head, data }, within)
      isKept = true
    }
    for (const queue of queues) values.push(queue, due, now, id, type, key, head, data)
  }
  insertRows(values, within)
  makeNewReady(within, place)
  if (isKept) unrouted.sweep(now, within)
}

/** @param values of all columns, row after row */
function insertRows(values: readonly SQLInputValue[], within: Statements): void {
  const most = mostRows * columns.length
  for (let at = 0; at < values.length; at += most) {
    const part = values.slice(at, at + most)
    within.run(inserts[part.length / columns.length]!, ...part)
  }
}

/** What the caller of publish is told: nothing was taken, unless the disk failed in the commit or behind it. */
export function publishError(error: unknown, count: number, signal: AbortSignal | undefined): PublishError {
  const aborted = signal?.aborted === true && error === signal.reason
  const coded = error instanceof MillraceError ? error : undefined
  const isUnknown = error instanceof CommitUnknown
  const outcome: PublishOutcome = isUnknown ? 'unknown' : 'rejected'
  const refused = count === 1 ? 'The event was not taken' : `None of the ${count} events was taken`
  const what = isUnknown ? 'It is not known whether a crash would bring back what was published' : refused
  return new PublishError(`${what}: ${messageOf(error)}`, {
    code: aborted ? 'PUBLISH_ABORTED' : (coded?.code ?? 'PUBLISH_FAILED'),
    results: Array.from({ length: count }, () => outcome),
    // Of unknown outcome: whether to publish again is for the caller to say, who may know an event that comes twice.
    retryable: aborted || isUnknown || (coded !== undefined && isPassing(coded)),
    cause: error,
  })
}
