import { latestTime } from '../../contract/stored-json.ts'
import type { Received, SettleResult, Settlement } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Database, Runner } from './database.ts'
import { isHeld, mostFailures } from './schema.ts'
import type { StoredEvent } from './stored-event.ts'

/** Those of the list that this claim still holds. What a claim that came later holds has another number. */
const own = `m.queue = $1 AND m.id = s.id AND m.claim = s.claim AND ${isHeld}`

/**
 * What a release sets. With order by key the event stands aside, at its place, for its key may have gone on; a parked one
 * waits there for itself. `lapsed` says of which nobody may know that they were held in between.
 */
export const released = (lapsed: string): string => {
  const keepsPlace = `m.slot >= 0 AND NOT m.parked`
  return `lone = false, aside = NOT ${lapsed} AND ${keepsPlace},
    lease = CASE WHEN ${lapsed} THEN statement_timestamp() END,
    due = CASE WHEN NOT ${lapsed} AND NOT (${keepsPlace}) THEN statement_timestamp() END`
}

const parks = 'm.slot >= 0 AND (s.park OR NOT s.failed AND m.parked)'
const keepsPlace = `m.slot >= 0 AND NOT s.failed AND s.delay = 0 AND NOT (${parks})`
const giveBack = `
  UPDATE {messages} m SET lease = NULL, lone = false, parked = ${parks}, aside = ${keepsPlace},
    due = CASE WHEN NOT (${keepsPlace}) THEN statement_timestamp() + s.delay * interval '1 ms' END,
    failures = CASE WHEN s.failed THEN least(m.failures + 1, ${mostFailures}) ELSE m.failures END,
    trail = CASE WHEN s.failed THEN s.trail ELSE m.trail END
  FROM unnest($2::text[], $3::bigint[], $4::boolean[], $5::float8[], $6::boolean[], $7::text[])
    s (id, claim, failed, delay, park, trail)
  WHERE ${own} RETURNING m.id, m.claim`
/** A letter is named by its event; a second one by what nobody can foresee, too: senders choose ids, also such as a number makes. */
const bury = `
  WITH gone AS (
    DELETE FROM {messages} m USING unnest($2::text[], $3::bigint[], $4::text[]) s (id, claim, record)
    WHERE ${own} RETURNING m.*, s.record
  ), letters AS (
    INSERT INTO {dead} (queue, name, id, type, key, head, data, bytes, record)
    SELECT queue, CASE WHEN EXISTS (SELECT 1 FROM {dead} d WHERE d.queue = g.queue AND d.name = g.id)
      THEN g.id || '~' || gen_random_uuid() ELSE g.id END,
      id, type, key, head, data, bytes, record FROM gone g ORDER BY seq
  )
  SELECT id, claim FROM gone`
/** With order by key only while the lease has not ended: after that another session may have the key. */
const ack = `
  DELETE FROM {messages} m USING unnest($2::text[], $3::bigint[]) s (id, claim)
  WHERE ${own} AND (m.slot < 0 OR m.lease > clock_timestamp())`
/** Of those that were lost: which are there, and whether they were given back and nobody has claimed them since. */
const there = `
  SELECT m.id, s.claim, m.claim = s.claim AND m.lease IS NULL AS back
  FROM {messages} m, unnest($2::text[], $3::float8[], $4::bigint[]) s (id, seq, claim)
  WHERE m.queue = $1 AND m.id = s.id AND m.seq = s.seq`
/**
 * With order by key only while the lease has not ended: after that another session may have the key. An exchange may be
 * settling some of them just now: two that lock the same rows in different order would stop each other, so it is skipped
 * who is locked, and asked for again.
 */
const extendOwn = (locked: string): string => `
  WITH me AS MATERIALIZED (
    SELECT id FROM {sessions} WHERE id = $2 AND alive >= statement_timestamp() + $5::float8 * interval '1 ms' FOR KEY SHARE
  ), extended AS (
    UPDATE {messages} m SET lease = statement_timestamp() + $5::float8 * interval '1 ms' WHERE m.ctid = ANY(ARRAY(
      SELECT m.ctid FROM {messages} m, unnest($3::text[], $4::bigint[]) s (id, claim)
      WHERE ${own} AND (m.slot < 0 OR m.lease > statement_timestamp()) AND EXISTS (SELECT 1 FROM me)
      FOR UPDATE OF m ${locked}
    )) RETURNING m.id, m.claim, m.ctid AS tid
  )
  SELECT EXISTS (SELECT 1 FROM me) AS lives,
    (SELECT coalesce(json_object_agg(claim || ' ' || id, tid), '{}') FROM extended)::text AS tids`
const extendFree = extendOwn('SKIP LOCKED')
const extendLocked = extendOwn('')

/** Settles and extends what one session holds. */
export class Settlements {
  readonly #database: Database
  readonly #queue: number
  /** Settled once before, without an answer. */
  readonly #unheard = new WeakSet<Received>()

  constructor(database: Database, queue: number) {
    this.#database = database
    this.#queue = queue
  }

  /** Retries, releases and deaths; the results of acks are left as they are. */
  async giveBack(list: readonly Settlement[], results: SettleResult[]): Promise<void> {
    const returned = await this.#return(list.filter(isGivenBack))
    const buried = await this.#bury(list.filter(isDead))
    for (const [i, one] of list.entries()) {
      const lease = leaseOf(one.of)
      const done = (isGivenBack(one) && returned.has(lease)) || (isDead(one) && buried.has(lease))
      if (done) results[i] = 'done'
    }
  }

  async #return(back: readonly Settlement[]): Promise<ReadonlySet<string>> {
    if (back.length === 0) return new Set()
    return this.#leases(
      giveBack,
      ...leasesOf(back.map(({ of }) => of)),
      back.map(({ as }) => as === 'retry'),
      back.map(({ delay = 0 }) => Math.min(delay, latestTime)),
      back.map(({ park = false }) => park),
      back.map(({ trail }) => (trail === undefined ? null : JSON.stringify(trail))),
    )
  }

  async #bury(dead: readonly Settlement[]): Promise<ReadonlySet<string>> {
    if (dead.length === 0) return new Set()
    const records = dead.map(({ record }) => JSON.stringify(record))
    return this.#leases(bury, ...leasesOf(dead.map(({ of }) => of)), records)
  }

  /** Those for which the statement did something. */
  async #leases(sql: string, ...values: readonly unknown[]): Promise<ReadonlySet<string>> {
    const rows = await this.#database.rows<Lease>(sql, this.#queue, ...values)
    return new Set(rows.map(leaseOf))
  }

  /** No answer was heard: they may have been settled. */
  doubt(list: readonly Settlement[]): void {
    for (const { of } of list) this.#unheard.add(of)
  }

  /** Finds out what became of those that were lost. */
  async sort(list: readonly Settlement[], results: SettleResult[]): Promise<void> {
    const lost = list.filter((_, i) => results[i] === 'lost').map(({ of }) => of as StoredEvent)
    if (lost.length === 0) return
    const rows = await this.#database.rows<Lease & { readonly back: boolean }>(
      there,
      this.#queue,
      lost.map(({ id }) => id),
      lost.map(({ seq }) => seq),
      lost.map(({ claim }) => claim),
    )
    const found = new Map(rows.map((row) => [leaseOf(row), row.back]))
    for (const [i, one] of list.entries()) {
      if (results[i] !== 'lost') continue
      const back = found.get(leaseOf(one.of))
      if (back === undefined) results[i] = 'gone'
      else if (back && isGivenBack(one) && this.#unheard.has(one.of)) results[i] = 'done'
    }
  }

  /** As the last of a transaction. @throws MillraceError LEASE_LOST */
  async ackLast(transaction: Runner, { id, claim }: StoredEvent): Promise<void> {
    if ((await transaction.run(ack, this.#queue, [id], [claim])) === 1) return
    throw new MillraceError('LEASE_LOST', `The lease of the event ${id} is lost: nothing was committed`)
  }

  /** Gives those that are held until then; undefined if the session does not live so long. */
  async extend(
    session: number,
    list: readonly Received[],
    ms: number,
  ): Promise<ReadonlySet<Received> | undefined> {
    const extended = new Set<Received>()
    for (const sql of [extendFree, extendLocked]) {
      const missing = (list as readonly StoredEvent[]).filter((event) => !extended.has(event))
      if (missing.length === 0) break
      const values = [this.#queue, session, ...leasesOf(missing), ms]
      const [row] = await this.#database.rows<{ lives: boolean; tids: string }>(sql, ...values)
      if (row?.lives !== true) return undefined
      const tids = new Map(Object.entries<string>(JSON.parse(row.tids)))
      for (const event of missing) {
        const tid = tids.get(leaseOf(event))
        if (tid === undefined) continue
        event.tid = tid
        extended.add(event)
      }
    }
    return extended
  }
}

export type Lease = Pick<StoredEvent, 'id' | 'claim'>

/** A session may hold one event by two claims, if the first has lapsed: an id alone does not say which of them is meant. */
export function leaseOf(of: Lease | Received): string {
  const { id, claim } = of as Lease
  return `${claim} ${id}`
}

function isGivenBack({ as }: Settlement): boolean {
  return as === 'retry' || as === 'release'
}

function isDead({ as }: Settlement): boolean {
  return as === 'dead'
}

export function leasesOf(list: readonly Received[]): [ids: readonly string[], claims: readonly string[]] {
  const events = list as readonly StoredEvent[]
  return [events.map(({ id }) => id), events.map(({ claim }) => claim)]
}

/** The same for statements that find rows where they are; texts, as Postgres reads arrays of what needs no escaping. */
export function placesOf(list: readonly Received[]): [tids: string, seqs: string, claims: string] {
  const events = list as readonly StoredEvent[]
  const array = (of: (event: StoredEvent) => string | number): string => `{${events.map(of).join()}}`
  return [array(({ tid }) => `"${tid}"`), array(({ seq }) => seq), array(({ claim }) => claim)]
}
