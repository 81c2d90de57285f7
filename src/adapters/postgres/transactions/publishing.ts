import { PublishError } from '../../../contract/publish-error.ts'
import { MillraceError, messageOf } from '../../../errors/millrace-error.ts'
import { encodeHeads } from '../../../event/head.ts'
import type { Outgoing } from '../../../event/outgoing.ts'
import type { EventTables } from '../event-tables.ts'
import { insertOrKeepRows } from '../insert-sql.ts'
import { partsOf, unstorable } from '../publishing.ts'
import { storedData } from '../stored-data.ts'
import { readRouting, type Routing, type Subscriptions } from '../subscriptions.ts'
import { joinTransaction, type JoinedTransaction } from './joined-transaction.ts'

/**
 * The parameter is one text, which all clients can pass on. Routes may be newer than what the transaction sees (a REPEATABLE
 * READ looks at the time of its beginning): an event goes to every queue that this process knows of. NOTIFY is sent by the
 * commit, once for each queue, however often it was said. Single values come from subqueries: of joins the server would expect
 * so many rows that it compiled the statement, which takes 90 ms. Where something is kept that has no queue, nobody declares
 * one until the commit, for he would not see it.
 */
const insert = `
  WITH given AS MATERIALIZED (SELECT $1::text::json AS it),
  locked AS MATERIALIZED (SELECT generation FROM {meta} WHERE (SELECT (it ->> 'keeps')::boolean FROM given) FOR SHARE),
  known AS MATERIALIZED (
    SELECT coalesce((SELECT generation FROM locked), (SELECT generation FROM {meta})) <= (it ->> 'generation')::bigint AS current
    FROM given
  ),
  ordered AS MATERIALIZED (SELECT json_array_elements_text(it -> 'ordered')::int4 AS queue FROM given),
  e AS MATERIALIZED (
    SELECT queue, id, type, key, head, data, decode(base64, 'base64') AS bytes, due, delay, topic, n
    FROM ROWS FROM (json_to_recordset((SELECT it -> 'events' FROM given)) AS (
      queues int4[], topic text, id text, type text, key text, head text, data text, base64 text, due int8, delay int8
    )) WITH ORDINALITY AS event (queues, topic, id, type, key, head, data, base64, due, delay, n)
    LEFT JOIN LATERAL unnest(queues) AS queue ON true
    WHERE (SELECT current FROM known)
  ),
  ${insertOrKeepRows('queue IN (SELECT ordered.queue FROM ordered)')},
  told AS MATERIALIZED (
    SELECT pg_notify((SELECT it ->> 'channel' FROM given), queue::text)
    FROM (SELECT DISTINCT queue FROM taken) AS queues WHERE (SELECT it ->> 'channel' FROM given) IS NOT NULL
  )
  SELECT current::text AS current, (SELECT count(*) FROM told)::text AS told FROM known`

/** The last publish in each transaction: a client runs one statement at a time, and their order is that of the calls. */
const latest = new WeakMap<object, Promise<void>>()

/**
 * Writes the events in the caller's transaction, and neither commits it nor rolls it back. What can be known beforehand is
 * refused before a statement is run; after one that fails, the caller can only roll back.
 * @throws PublishError
 */
export async function publishInTransaction(
  list: readonly Outgoing[],
  transaction: unknown,
  signal: AbortSignal | undefined,
  tables: EventTables,
): Promise<void> {
  try {
    if (unstorable(list) !== undefined) {
      throw new MillraceError(
        'INVALID_EVENT',
        'An id, a type or a key has a NUL or a lone surrogate in it, or is longer than 2,500 bytes',
      )
    }
    const joined = joinTransaction(transaction, tables.database)
    await inTurn(joined.identity, async () => {
      if (signal?.aborted === true) {
        throw new MillraceError('PUBLISH_ABORTED', 'Aborted before anything was sent')
      }
      for (const part of partsOf(list)) await send(part, joined, tables)
    })
  } catch (error) {
    throw refusal(list, error)
  }
}

/** All of the events or none: what was written before a failure goes when the caller rolls back. */
function refusal(list: readonly Outgoing[], error: unknown): PublishError {
  const { code, cause } =
    error instanceof MillraceError ? error : { code: 'PUBLISH_FAILED' as const, cause: error }
  const results = list.map(() => 'rejected' as const)
  return new PublishError(messageOf(error), { code, results, cause, retryable: code === 'PUBLISH_ABORTED' })
}

/** Behind what was published before in this transaction, whatever became of that. */
async function inTurn(transaction: object, work: () => Promise<void>): Promise<void> {
  const before = latest.get(transaction)
  const mine = before === undefined ? work() : before.then(work, work)
  latest.set(transaction, mine)
  await mine
}

async function send(
  list: readonly Outgoing[],
  joined: JoinedTransaction,
  { subscriptions, unrouted, channel }: EventTables,
): Promise<void> {
  const heads = encodeHeads(list.map(({ head }) => head))
  for (let routing = subscriptions.latest; ; routing = undefined) {
    // By this very connection: another one may be had only when this transaction has ended.
    routing ??= await learnRouting(joined, subscriptions)
    const { generation, ordered } = routing
    const events = eventsOf(list, heads, routing)
    const keeps = events.some(({ queues }) => queues.length === 0)
    const parameter = JSON.stringify({ generation, ordered, channel, keeps, events })
    const [answer] = await joined.rows<{ current: string }>(insert, parameter)
    if (answer?.current === 'true') {
      unrouted.sweepSoon()
      return
    }
    if (answer?.current !== 'false') {
      throw new MillraceError(
        'PUBLISH_FAILED',
        'The client of the transaction changes the rows that it gives',
      )
    }
  }
}

async function learnRouting(joined: JoinedTransaction, subscriptions: Subscriptions): Promise<Routing> {
  const routing = await readRouting(joined)
  subscriptions.learn(routing)
  return routing
}

function eventsOf(list: readonly Outgoing[], heads: readonly string[], { routes }: Routing) {
  return list.map(({ topic, id, type, key, deliverAt, delay, data: raw }, i) => {
    const { data, bytes } = storedData(raw)
    return {
      queues: routes.of(topic, type),
      topic,
      id,
      type,
      key,
      head: heads[i],
      data,
      base64:
        bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'),
      due: deliverAt,
      delay,
    }
  })
}
