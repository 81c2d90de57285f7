import { latestTime } from '../../contract/stored-json.ts'
import type { SettleResult, Settlement } from '../../contract/transport.ts'
import type { Database } from './database.ts'
import { makeReady } from './ready-list.ts'
import { mostFailures } from './schema.ts'
import type { StoredEvent } from './stored-event.ts'

const ownOf =
  'FROM json_each(:seqs) s CROSS JOIN held h ON h.seq = s.value WHERE h.holder = :holder AND h.claim = :claim'
const deleteOwn = `DELETE FROM events WHERE seq IN (SELECT s.value ${ownOf})`
const ownSeqs = `SELECT s.value ${ownOf}`
const releaseAll = 'DELETE FROM held WHERE seq IN (SELECT value FROM json_each(?))'
const extendOwn = `UPDATE held SET lease = :lease WHERE seq IN (SELECT s.value ${ownOf})`

const isOwn = 'SELECT 1 FROM held WHERE seq = ? AND holder = ? AND claim = ?'
const isThere = 'SELECT 1 FROM events WHERE seq = ? AND id = ?'
const giveBack = 'UPDATE events SET due = ?, steady = 1, parked = max(parked, ?) WHERE seq = ?'
const giveBackFailed = `UPDATE events
  SET failures = min(failures + 1, ${mostFailures}), due = ?, steady = 1, parked = ?, trail = ? WHERE seq = ?`
/** A letter is named by its event; a second one of the same event by what no sender of ids can guess, too. */
const bury = `
  INSERT INTO dead (queue, name, id, type, key, head, data, record)
  SELECT queue, CASE WHEN EXISTS (SELECT 1 FROM dead d WHERE d.queue = e.queue AND d.name = e.id)
    THEN e.id || '~' || lower(hex(randomblob(16))) ELSE e.id END,
    id, type, key, head, data, ? FROM events e WHERE seq = ?`
const deleteEvent = 'DELETE FROM events WHERE seq = ?'
const release = 'DELETE FROM held WHERE seq = ?'

/** Settles and extends what one session holds. All methods belong in a write transaction. */
export class Settlements {
  readonly #database: Database
  readonly #holder: number

  constructor(database: Database, holder: number) {
    this.#database = database
    this.#holder = holder
  }

  /**
   * Results in the order of the list; undefined: all done.
   * @param now by the steady clock
   */
  settle(list: readonly Settlement[], now: number): readonly SettleResult[] | undefined {
    const acks = list.filter((one) => one.as === 'ack').map((one) => one.of as StoredEvent)
    const missed = new Set(byClaim(acks).flatMap(([claim, events]) => this.#ackAll(claim, events)))
    if (acks.length === list.length && missed.size === 0) return undefined
    const results = list.map((settlement): SettleResult => {
      const event = settlement.of as StoredEvent
      return settlement.as === 'ack' && !missed.has(event) ? 'done' : this.#settleOne(settlement, event, now)
    })
    return results.every((result) => result === 'done') ? undefined : results
  }

  extend(list: readonly StoredEvent[], lease: number): readonly ('ok' | 'lost')[] {
    const slow = new Set<StoredEvent>()
    for (const [claim, events] of byClaim(list)) {
      const changed = this.#database.run(extendOwn, {
        seqs: seqsOf(events),
        holder: this.#holder,
        claim,
        lease,
      })
      if (changed < events.length) for (const event of events) slow.add(event)
    }
    return list.map((event) => (!slow.has(event) || this.#owns(event) ? 'ok' : 'lost'))
  }

  /** Acks of one claim at once, which is what almost all settlements are. Gives those that were not ours. */
  #ackAll(claim: number, events: readonly StoredEvent[]): readonly StoredEvent[] {
    const seqs = seqsOf(events)
    const lease = { seqs, holder: this.#holder, claim }
    if (this.#database.run(deleteOwn, lease) === events.length) {
      this.#database.run(releaseAll, seqs)
      return []
    }
    const own = new Set(this.#database.arrays<readonly [seq: number]>(ownSeqs, lease).map(([seq]) => seq))
    this.#database.run(releaseAll, JSON.stringify([...own]))
    return events.filter(({ seq }) => !own.has(seq))
  }

  #settleOne(
    { as, delay = 0, park = false, trail, record }: Settlement,
    event: StoredEvent,
    now: number,
  ): SettleResult {
    const { seq, id } = event
    if (!this.#owns(event)) return this.#database.get(isThere, seq, id) === undefined ? 'gone' : 'lost'
    const due = delay > 0 ? Math.min(Math.ceil(now + delay), latestTime) : null
    if (as === 'dead') this.#database.run(bury, JSON.stringify(record), seq)
    if (as === 'retry')
      this.#database.run(
        giveBackFailed,
        due,
        Number(park),
        trail === undefined ? null : JSON.stringify(trail),
        seq,
      )
    else if (as !== 'release') this.#database.run(deleteEvent, seq)
    else if (due !== null || park) this.#database.run(giveBack, due, Number(park), seq)
    this.#database.run(release, seq)
    if (due === null && (as === 'retry' || as === 'release')) makeReady(this.#database, seq)
    return 'done'
  }

  #owns({ seq, claim }: StoredEvent): boolean {
    return this.#database.get(isOwn, seq, this.#holder, claim) !== undefined
  }
}

/** Most lists are of one claim. */
function byClaim(
  events: readonly StoredEvent[],
): readonly (readonly [claim: number, events: readonly StoredEvent[]])[] {
  const claim = events[0]?.claim
  if (claim === undefined) return []
  return events.every((event) => event.claim === claim)
    ? [[claim, events]]
    : [...Map.groupBy(events, (event) => event.claim)]
}

function seqsOf(events: readonly StoredEvent[]): string {
  return JSON.stringify(events.map((event) => event.seq))
}
