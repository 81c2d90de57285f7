import { PublishError, type PublishOutcome } from '../../contract/publish-error.ts'
import type { TransportPublishOptions } from '../../contract/transport.ts'
import { MillraceError, messageOf } from '../../errors/millrace-error.ts'
import { encodeHeads } from '../../event/head.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import type { EventTables } from './event-tables.ts'
import { isPassing, OutcomeUnknown, sqlState } from './failures.ts'
import { insertNewRows, insertOrKeepRows, insertRows } from './insert-sql.ts'
import { Rows } from './rows.ts'
import { Scratch } from './scratch.ts'
import type { Routing } from './subscriptions.ts'

/** Events of one statement: above these its arrays would take too much memory, here and in the server. */
const mostEvents = 5_000
const mostBytes = 32 * 1024 * 1024

/** The queues of an event that has none. */
const nowhere = [null]

/** Two publishes of the same ids in another order may wait for each other; the server ends one of them. */
const deadlock = '40P01'

/** A queue has the event already. */
const isThere = '23505'

/**
 * $1 is the generation that the routes are of, $2 the queues with order by key, the others are `Rows.columns`. Arrays are read out in
 * their order, and a row leaves as soon as it is read: as a table in FROM, and sorted, all of them would be copied twice before.
 */
const read = `
  SELECT unnest($3::int4[]) AS queue, unnest($4::text[]) AS id, unnest($5::text[]) AS type, unnest($6::text[]) AS key,
    unnest($7::text[]) AS head, unnest($8::text[]) AS data, unnest($9::bytea[]) AS bytes, unnest($10::int8[]) AS due,
    unnest($11::int8[]) AS delay, unnest($12::text[]) AS topic`
const events = `(
  SELECT queue, id, coalesce(type, ($5::text[])[1]) AS type, key, coalesce(head, ($7::text[])[1]) AS head, data, bytes, due, delay, topic
  FROM (${read}) AS row
) AS e`
const isCurrent = '(SELECT generation FROM {meta}) = $1::bigint'
const isOrdered = 'queue = ANY($2::int4[])'

/** Writes nothing if the routes are outdated. The first fails if a queue has one of the events. */
const insert = insertRows(`${events} WHERE ${isCurrent}`, isOrdered)
const insertNew = insertNewRows(`${events} WHERE ${isCurrent}`, isOrdered)
/**
 * The same where some rows have no queue. Tells whether the routes are of today. Until it is committed nobody declares a
 * queue, which would not see what is kept.
 */
const insertOrKeep = `
  WITH known AS MATERIALIZED (SELECT generation = $1::bigint AS current FROM {meta} FOR SHARE),
  e AS MATERIALIZED (SELECT *, row_number() OVER () AS n FROM ${events} WHERE (SELECT current FROM known)),
  ${insertOrKeepRows(isOrdered)}
  SELECT current FROM known`

/** @throws PublishError */
export async function publish(
  list: readonly Outgoing[],
  { signal }: TransportPublishOptions,
  tables: EventTables,
): Promise<void> {
  if (signal?.aborted === true) {
    throw publishError(list, new MillraceError('PUBLISH_ABORTED', 'Aborted before anything was sent'))
  }
  const refused = unstorable(list)
  const sound = refused === undefined ? list : list.filter((_, i) => !refused.has(i))
  const outcomes: PublishOutcome[] = []
  let failure: unknown
  const parts = [...partsOf(sound)]
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    try {
      await send(part, tables)
      for (const _ of part) outcomes.push('taken')
    } catch (error) {
      if (sqlState(error) === deadlock && part.length > 1) {
        // Half as many meet the other less often, and one alone waits for nobody who waits for it.
        parts.unshift(part.slice(0, part.length >> 1), part.slice(part.length >> 1))
        continue
      }
      failure = error
      const outcome = error instanceof OutcomeUnknown ? 'unknown' : 'rejected'
      for (const _ of part) outcomes.push(outcome)
      break
    }
  }
  if (failure === undefined && refused === undefined) return
  let next = 0
  const results = list.map((_, i) =>
    refused?.has(i) === true ? 'rejected' : (outcomes[next++] ?? 'rejected'),
  )
  throw publishError(
    list,
    failure ??
      new MillraceError(
        'INVALID_EVENT',
        'An id, a type or a key has a NUL or a lone surrogate in it, or is longer than 2,500 bytes',
      ),
    results,
  )
}

/** What the caller of publish is told. */
export function publishError(
  list: readonly Outgoing[],
  error: unknown,
  results: readonly PublishOutcome[] = list.map(() => 'rejected'),
): PublishError {
  const coded = error instanceof MillraceError ? error : undefined
  const count = (outcome: PublishOutcome): number => results.filter((one) => one === outcome).length
  const lost = count('unknown') > 0 ? `, of ${count('unknown')} it is not known` : ''
  return new PublishError(
    `${count('taken')} of ${list.length} events were taken${lost}: ${messageOf(error)}`,
    {
      code: coded?.code ?? 'PUBLISH_FAILED',
      results,
      retryable: coded !== undefined && (isPassing(coded) || coded.code === 'PUBLISH_ABORTED'),
      cause: error,
    },
  )
}

/** Takes the events in one commit: all of them or none. */
async function send(list: readonly Outgoing[], tables: EventTables): Promise<void> {
  const { subscriptions, unrouted } = tables
  const heads = encodeHeads(list.map(({ head }) => head))
  let routing: Routing | undefined
  for (;;) {
    routing = await subscriptions.routing(routing)
    const pieces = [...rowsOf(list, heads, routing)]
    const [rows] = pieces
    try {
      const isWritten =
        pieces.length === 1 ? write(rows!, routing, tables) : writeTogether(pieces, routing, tables)
      if (!(await isWritten)) continue
    } catch (error) {
      if (error instanceof OutcomeUnknown) announce(pieces, tables)
      throw error
    }
    announce(pieces, tables)
    unrouted.sweepSoon()
    return
  }
}

/** What one statement can carry, a piece each: an event is sent once for each of its queues. Mostly that is one. */
function* rowsOf(list: readonly Outgoing[], heads: readonly string[], { routes }: Routing): Generator<Rows> {
  let rows = new Rows()
  let bytes = 0
  for (let i = 0; i < list.length; i++) {
    const event = list[i]!
    const queues = routes.of(event.topic, event.type)
    for (const queue of queues.length === 0 ? nowhere : queues) {
      if (bytes > 0 && bytes + event.size > mostBytes) {
        yield rows
        rows = new Rows()
        bytes = 0
      }
      rows.add(queue, event, heads[i]!)
      bytes += event.size
    }
  }
  yield rows
}

/** The same in several statements. What is true of the routes stays so until the commit. */
function writeTogether(
  pieces: readonly Rows[],
  routing: Routing,
  { database }: EventTables,
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const [meta] = await transaction.rows<{ generation: string }>(
      'SELECT generation::text AS generation FROM {meta} FOR SHARE',
    )
    if (meta?.generation !== routing.generation) return false
    for (const rows of pieces) {
      const sql = rows.hasUnrouted ? insertOrKeep : insertNew
      const scratch = Scratch.borrow()
      await transaction.run(sql, routing.generation, routing.ordered, ...rows.columns(scratch))
      scratch.giveBack()
    }
    return true
  })
}

/** Tells whether the rows were written: not if the routes are outdated. */
async function write(rows: Rows, routing: Routing, tables: EventTables): Promise<boolean> {
  const { database, subscriptions, repeats } = tables
  const scratch = Scratch.borrow()
  const values = [routing.generation, routing.ordered, ...rows.columns(scratch)]
  if (rows.hasUnrouted) {
    const [answer] = await database.rows<{ current: boolean }>(insertOrKeep, ...values)
    scratch.giveBack()
    return answer?.current === true
  }
  let count: number
  try {
    count = await database.run(repeats.likely ? insertNew : insert, ...values)
  } catch (error) {
    if (sqlState(error) !== isThere) throw error
    repeats.seen()
    count = await database.run(insertNew, ...values)
  }
  scratch.giveBack()
  if (count > 0) return true
  // Either the queues have all of them already, or the routes are outdated; to write once more is safe.
  return (await subscriptions.routing(routing)).generation === routing.generation
}

/** Also where the outcome is unknown: they may be there. */
function announce(pieces: readonly Rows[], { wakeUp }: EventTables): void {
  wakeUp.announce(new Set(pieces.flatMap(({ queues }) => queues.filter((queue) => queue !== null))))
}

export function* partsOf(list: readonly Outgoing[]): Generator<readonly Outgoing[]> {
  let from = 0
  let bytes = 0
  for (let i = 0; i < list.length; i++) {
    const { size } = list[i]!
    if (i > from && (i - from === mostEvents || bytes + size > mostBytes)) {
      yield list.slice(from, i)
      from = i
      bytes = 0
    }
    bytes += size
  }
  if (from < list.length) yield list.slice(from)
}

/** Those that Postgres has no text for, and what stands behind them in their keys; undefined: none. */
export function unstorable(list: readonly Outgoing[]): ReadonlySet<number> | undefined {
  if (list.every(isStorable)) return undefined
  const refused = new Set<number>()
  const keys = new Set<string>()
  for (const [i, event] of list.entries()) {
    const { key } = event
    if (isStorable(event) && (key === undefined || !keys.has(key))) continue
    refused.add(i)
    if (key !== undefined) keys.add(key)
  }
  return refused
}

function isStorable({ id, type, key = '' }: Outgoing): boolean {
  return isText(id) && isText(type) && isText(key)
}

/** Longer ones do not fit into an index, in bytes. */
const longestText = 2_500

function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000') && Buffer.byteLength(text) <= longestText
}
