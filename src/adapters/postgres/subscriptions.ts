import { keptOf } from '../../contract/declared.ts'
import { Routes, type Binding } from '../../contract/routes.ts'
import type { QueueSpec, Subscription } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Database, Runner } from './database.ts'

export interface QueueRow {
  readonly id: number
  readonly ordered: boolean
}

/** As `Subscriptions` has read them: who gets what, as of one generation. */
export interface Routing {
  /** Counts the changes of queues and subscriptions, by all processes. As text: it has 64 bits. */
  readonly generation: string
  readonly routes: Routes<number>
  /** The queues with order by key. */
  readonly ordered: readonly number[]
}

/** In one statement, so that all of it is of the same moment. */
const state = `
  SELECT generation::text AS generation,
    (SELECT coalesce(json_agg(s ORDER BY s.queue), '[]') FROM {subscriptions} s)::text AS bindings,
    (SELECT coalesce(json_agg(q.id), '[]') FROM {queues} q WHERE q.ordered)::text AS ordered
  FROM {meta}`

/**
 * Which queues an event goes to. Remembered by each process; a counter in the database, compared by every statement that
 * publishes, tells it that another process has changed something.
 */
export class Subscriptions {
  readonly #database: Database
  #routing: Promise<Routing> | undefined
  #latest: Routing | undefined

  constructor(database: Database) {
    this.#database = database
  }

  /** Reads them if they were not read yet, or if what was read is `outdated`. */
  routing(outdated?: Routing): Promise<Routing> {
    const known = this.#routing
    if (known !== undefined && outdated === undefined) return known
    const reading = this.#read(known, outdated)
    this.#routing = reading
    reading.catch(() => {
      if (this.#routing === reading) this.#routing = undefined
    })
    return reading
  }

  async #read(known: Promise<Routing> | undefined, outdated: Routing | undefined): Promise<Routing> {
    // Somebody else has seen that, too, and has read them anew.
    const latest = await known?.catch(() => undefined)
    if (latest !== undefined && latest !== outdated) return latest
    this.#latest = await readRouting(this.#database)
    return this.#latest
  }

  /** What was read last; undefined if nothing was read yet. */
  get latest(): Routing | undefined {
    return this.#latest
  }

  /** Takes over what somebody has read in a transaction of his own, unless that looks at an earlier time. */
  learn(routing: Routing): void {
    if (this.#latest !== undefined && BigInt(routing.generation) <= BigInt(this.#latest.generation)) return
    this.#latest = routing
    this.#routing = Promise.resolve(routing)
  }

  /** A queue. @throws MillraceError UNKNOWN_QUEUE */
  async queue(name: string, runner: Runner = this.#database): Promise<QueueRow> {
    const found = await this.find(name, runner)
    if (found !== undefined) return found
    throw new MillraceError('UNKNOWN_QUEUE', `${this.#database.where} has no queue '${name}'`)
  }

  async find(name: string, runner: Runner = this.#database): Promise<QueueRow | undefined> {
    return (await runner.rows<QueueRow>('SELECT id, ordered FROM {queues} WHERE name = $1', name))[0]
  }
}

export async function readRouting(runner: Pick<Runner, 'rows'>): Promise<Routing> {
  const [row] = await runner.rows<{ generation: string; bindings: string; ordered: string }>(state)
  const { generation, bindings, ordered } = row!
  return {
    generation,
    routes: new Routes(JSON.parse(bindings) as readonly Binding<number>[]),
    ordered: JSON.parse(ordered) as readonly number[],
  }
}

/** All changes of queues and subscriptions come one after another. Within a transaction, at its start. */
export async function lockSubscriptions(transaction: Runner): Promise<void> {
  await transaction.rows('SELECT generation FROM {meta} FOR NO KEY UPDATE')
}

/** Makes those that are new, without subscriptions. Gives their names. Behind `lockSubscriptions`. */
export async function addQueues(
  transaction: Runner,
  specs: readonly QueueSpec[],
): Promise<readonly string[]> {
  const added = await transaction.rows<{ name: string }>(
    `INSERT INTO {queues} (name, ordered) SELECT * FROM unnest($1::text[], $2::boolean[])
     ON CONFLICT DO NOTHING RETURNING name`,
    specs.map(({ name }) => name),
    specs.map(({ order }) => order),
  )
  return added.map(({ name }) => name)
}

/** Adds subscriptions. Gives what the queues have besides, in words. Behind `lockSubscriptions`. */
export async function bind(transaction: Runner, specs: readonly QueueSpec[]): Promise<readonly string[]> {
  const kept: string[] = []
  let changes = 0
  for (const spec of specs) {
    const [row] = await transaction.rows<{ id: number; ordered: boolean; subscriptions: string }>(
      `SELECT id, ordered, (
         SELECT coalesce(json_agg(s), '[]') FROM (SELECT topic, pattern FROM {subscriptions} WHERE queue = id) s
       )::text AS subscriptions FROM {queues} WHERE name = $1`,
      spec.name,
    )
    const { id, ordered, subscriptions } = row!
    kept.push(...keptOf(spec, { subscriptions: JSON.parse(subscriptions) as Subscription[], order: ordered }))
    changes += await transaction.run(
      `INSERT INTO {subscriptions} SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING`,
      id,
      ...columnsOf(spec.subscriptions),
    )
  }
  if (changes > 0) await changed(transaction)
  return kept
}

/** Takes subscriptions away; no list: all. Behind `lockSubscriptions`. */
export async function unbind(
  transaction: Runner,
  queue: number,
  list: readonly Subscription[] | undefined,
): Promise<void> {
  if (list === undefined) await transaction.run('DELETE FROM {subscriptions} WHERE queue = $1', queue)
  else {
    await transaction.run(
      `DELETE FROM {subscriptions}
       WHERE queue = $1 AND (topic, pattern) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
      queue,
      ...columnsOf(list),
    )
  }
  await changed(transaction)
}

/** Everybody who publishes reads them anew. */
async function changed(transaction: Runner): Promise<void> {
  await transaction.run('UPDATE {meta} SET generation = generation + 1')
}

function columnsOf(list: readonly Subscription[]): [topics: readonly string[], patterns: readonly string[]] {
  return [list.map(({ topic }) => topic), list.map(({ pattern }) => pattern)]
}
