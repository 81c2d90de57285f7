import type { Received } from '../../contract/transport.ts'
import type { Database } from './database.ts'
import { leasesOf, released } from './settlements.ts'

/** A session with order by key tells at least so often that it lives, in milliseconds: its slots wait for that if it dies. */
const shortest = 100
const longest = 1_500
/** One without has nothing that anybody waits for. */
const withoutOrder = 60_000

const lock = 'SELECT id FROM {sessions} WHERE id = $1 FOR UPDATE'
/** Whoever removes the queue waits for this, and then deletes the row with the others. */
const insert = `
  INSERT INTO {sessions} (queue, alive)
  SELECT id, statement_timestamp() + $2::float8 * interval '1 ms' FROM {queues} WHERE id = $1 FOR KEY SHARE
  RETURNING id::float8 AS id`
const inherit = 'UPDATE {slots} SET session = $2 WHERE session = $1 AND queue = $3 RETURNING slot'
/**
 * What the session holds, or did until a minute ago: what lapsed before that is left to whoever takes what has lapsed. While an
 * old transaction is open the indexes have all that ever was in the queue, and the table looks empty. So these rows are asked
 * for in an order that only the right index has.
 */
const heldOfLate = (columns: string, where: string, order = ''): string => `
  SELECT ${columns} FROM {messages} m
  WHERE m.queue = $1 AND m.lease > statement_timestamp() - interval '1 min' AND ${where} ORDER BY m.lease ${order}`
const giveBack = `
  UPDATE {messages} m SET ${released('m.lone')}
  WHERE m.ctid = ANY(ARRAY(${heldOfLate('m.ctid', 'm.claim = ANY($2::bigint[])')} FOR UPDATE))`
const remove = 'DELETE FROM {sessions} WHERE id = $1'
const beat = `
  UPDATE {sessions} SET alive = greatest(alive, statement_timestamp() + $2::float8 * interval '1 ms') WHERE id = $1`
const ofSession = 'm.claim >> 32 = ANY($2::bigint[])'
const isKept =
  'EXISTS (SELECT 1 FROM unnest($3::text[], $4::bigint[]) k (id, claim) WHERE k.id = m.id AND k.claim = m.claim)'
const giveBackAll = `
  UPDATE {messages} m SET ${released('false')}
  WHERE m.ctid = ANY(ARRAY(${heldOfLate('m.ctid', `${ofSession} AND NOT ${isKept}`)} FOR UPDATE))`
const stay = `
  UPDATE {sessions} SET wants = false,
    alive = coalesce((${heldOfLate('m.lease', ofSession, 'DESC LIMIT 1')}), statement_timestamp())
  WHERE id = $3`
const freeSlots = `
  DELETE FROM {slots} s WHERE s.session = $2 AND s.slot NOT IN (${heldOfLate('m.slot', 'm.lease > statement_timestamp()')})`

/**
 * The row that says that a session lives. Claims lock it (`claim-sql.ts`), so that whoever deletes it knows that nothing
 * more is claimed in its name. `alive` is never before the end of a lease that the session gave.
 */
export class Presence {
  /** Milliseconds between two beats. */
  readonly every: number
  readonly #database: Database
  readonly #queue: number
  readonly #life: number
  readonly #ids: number[] = []
  readonly #unheard: string[] = []
  #claims = 0

  /** @param lease milliseconds */
  constructor(database: Database, queue: number, lease: number, ordered: boolean) {
    this.#database = database
    this.#queue = queue
    this.every = ordered ? Math.min(Math.max(lease / 3, shortest), longest) : withoutOrder
    this.#life = lease + 2 * this.every
  }

  /** undefined before the first `enter`. */
  get id(): number | undefined {
    return this.#ids.at(-1)
  }

  /** The number of a claim: no other of any session has it. */
  nextClaim(): string {
    return String((BigInt(this.id ?? 0) << 32n) + BigInt(++this.#claims))
  }

  /** No answer was heard to these claims. They end, and what they took is given back, at the next `enter`. */
  doubt(claims: readonly string[]): void {
    this.#unheard.push(...claims)
  }

  /**
   * Begins anew, with a row of its own: what was sent in the name of the old one and is still under way ends before, or takes
   * nothing. Gives the slots that the session still has; undefined if the queue is no more.
   */
  async enter(): Promise<readonly number[] | undefined> {
    const old = this.id ?? 0
    const unheard = [...this.#unheard]
    const entered = await this.#database.transaction(async (transaction) => {
      await transaction.rows(lock, old)
      const [row] = await transaction.rows<{ id: number }>(insert, this.#queue, this.#life)
      if (row === undefined) return undefined
      const slots = await transaction.rows<{ slot: number }>(inherit, old, row.id, this.#queue)
      if (unheard.length > 0) await transaction.run(giveBack, this.#queue, unheard)
      await transaction.run(remove, old)
      return { id: row.id, slots: slots.map(({ slot }) => slot) }
    })
    this.#unheard.splice(0, unheard.length)
    if (entered === undefined) return undefined
    this.#ids.push(entered.id)
    return entered.slots
  }

  /** Tells that the session lives, for leases of at least `ms`. False if it was taken for dead. */
  async beat(ms = 0): Promise<boolean> {
    return (await this.#database.run(beat, this.id, Math.max(this.#life, ms + this.every))) === 1
  }

  /** Gives back everything but these, and ends when their leases do. */
  async leave(keep: readonly Received[]): Promise<void> {
    if (this.id === undefined) return
    await this.#database.transaction(async (transaction) => {
      await transaction.rows(lock, this.id)
      await transaction.run(giveBackAll, this.#queue, this.#ids, ...leasesOf(keep))
      if (keep.length > 0) await transaction.run(stay, this.#queue, this.#ids, this.id)
      await transaction.run(freeSlots, this.#queue, this.id)
      if (keep.length === 0) await transaction.run(remove, this.id)
    })
  }
}
