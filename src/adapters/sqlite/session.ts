import { randomInt } from 'node:crypto'
import { aborted } from '../../clock/aborted.ts'
import { settledOf } from '../../contract/settled.ts'
import { latestTime } from '../../contract/stored-json.ts'
import type {
  ExchangeRequest,
  ExchangeResult,
  Received,
  Session,
  SessionOptions,
  SettleResult,
  Settlement,
} from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { timesOf } from './boot.ts'
import { Claims, type Claimant, type View } from './claims.ts'
import type { EventFile } from './event-file.ts'
import { storeError } from './failures.ts'
import { Settlements } from './settlements.ts'
import type { StoredEvent } from './stored-event.ts'
import { untilHint } from './until-hint.ts'

/** What the session saw when there was nothing more to take. */
export interface Rest extends View {
  /** The wake-up's count then, and the database's: if one is another now, somebody has changed something. */
  readonly hints: number
  readonly changes: number
}

/**
 * What one exchange asks for. While others write as well it is more: after each of theirs SQLite reads anew what it knew of the file, and
 * the lock is free for a moment only.
 */
const usualClaim = 128
const crowdedClaim = 256
/** Exchanges in a row that no other process held up, after which a session is alone again. */
const calmAfter = 16

/**
 * Events that may be settled while the disk does not have what was settled before, in full claims: more would come again after a
 * power cut.
 */
const mostAhead = 8 * usualClaim

const isGivenBack = 'holder = ? AND seq NOT IN (SELECT value FROM json_each(?))'
const giveBack = [
  `INSERT INTO ready SELECT queue, seq, key FROM events WHERE seq IN (SELECT seq FROM held WHERE ${isGivenBack})`,
  `DELETE FROM held WHERE ${isGivenBack}`,
]

export class SqliteSession implements Session {
  readonly pulls = 1
  readonly #file: EventFile
  readonly #name: string
  readonly #options: SessionOptions
  readonly #holder = randomInt(2 ** 48 - 1)
  readonly #claims: Claims
  readonly #settlements: Settlements
  readonly #leave: () => void
  readonly #end = new AbortController()
  #queue: number
  #removed = false
  #lastClaim = 0
  /** Exchanges since one was held up. */
  #calm = calmAfter
  #waits: number
  /** undefined: there may be something to take. */
  #rest: Rest | undefined
  /** What was settled and is on its way to the disk, an entry for each exchange. */
  readonly #syncs = new Set<Promise<void>>()
  /** The disk has refused something, and nothing was taken since: that is told once. */
  #refused = false
  #quiet = false
  #closing: Promise<void> | undefined

  /** @param ended called at its close */
  constructor(file: EventFile, name: string, queue: number, options: SessionOptions, ended: () => void) {
    this.#file = file
    this.#waits = file.database.waits
    this.#name = name
    this.#queue = queue
    this.#options = options
    this.#claims = new Claims(file.database, options.order)
    this.#settlements = new Settlements(file.database, this.#holder)
    const leave = file.wakeUp.join((notice) => options.notice({ ...notice, queue: name }))
    this.#leave = () => {
      leave()
      ended()
    }
  }

  get claim(): number {
    return this.#calm < calmAfter ? crowdedClaim : usualClaim
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    const result = await this.#exchange(request)
    if (this.#removed) throw new MillraceError('UNKNOWN_QUEUE', `The queue '${this.#name}' was removed`)
    return result
  }

  async #exchange({ settle, max, lapsed = 0 }: ExchangeRequest): Promise<ExchangeResult> {
    this.#checkOpen()
    const { database } = this.#file
    const wanted = this.#quiet ? 0 : max
    const wantedLapsed = this.#quiet ? 0 : lapsed
    if (settle.length === 0 && this.#rest !== undefined) {
      // Looking takes no lock: a consumer that finds nothing to do disturbs nobody.
      const rest = await this.#look(false)
      if (!(rest.ready && wanted > 0) && !(rest.lapsed && wantedLapsed > 0)) {
        this.#rest = rest.ready ? undefined : rest
        return { received: [], lapsed: rest.lapsed }
      }
    }
    // Several, where the claim has just become larger.
    while (this.#syncs.size * this.claim >= mostAhead) await Promise.race(this.#syncs)
    const claim = ++this.#lastClaim
    const result = await database.commit(() => {
      // It may have been closed while this waited for the disk or the file: nobody would give back what is claimed now.
      this.#checkOpen()
      const me = this.#claimant()
      const lease = this.#leaseUntil(this.#options.lease)
      const settled = settle.length === 0 ? undefined : this.#settlements.settle(settle, me.steady)
      this.#claims.settled(
        me.queue,
        settle.map(({ of }) => of.key),
      )
      const { events: received, more } = this.#claims.ready(me, claim, lease, wanted)
      if (wantedLapsed > 0) received.push(...this.#claims.lapsed(me, claim, lease, wantedLapsed))
      return { received, settled, lapsed: this.#claims.hasLapsed(me), more }
    })
    this.#calm = database.waits === this.#waits ? this.#calm + 1 : 0
    this.#waits = database.waits
    const { received, settled, more } = result
    // A claim that a power cut takes back is claimed anew. But that a lapsed event was claimed alone must be known after a
    // crash of the machine, too: it may have been the cause.
    if (received.some((event) => event.lapsed)) await this.#keep()
    else if (settle.length > 0) this.#keepBeside()
    const tookAll = received.length < wanted && !more
    if (settle.length > 0) this.#afterSettling(settle, settled, tookAll)
    if (tookAll || wanted === 0) await this.#rememberRest(wanted > 0)
    else this.#rest = undefined
    return { received, settled, lapsed: result.lapsed }
  }

  async settle(list: readonly Settlement[]): Promise<readonly SettleResult[] | undefined> {
    return (await this.#exchange({ settle: list, max: 0 })).settled
  }

  async extend(list: readonly Received[], ms: number): Promise<readonly ('ok' | 'lost')[]> {
    this.#checkOpen()
    return this.#file.database.commit(() => {
      return this.#settlements.extend(list as readonly StoredEvent[], this.#leaseUntil(ms))
    })
  }

  async flush(): Promise<void> {
    await Promise.all(this.#syncs)
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (this.#quiet) await aborted(signal, this.#end.signal)
    else if (this.#rest !== undefined) await untilHint(this.#file, this.#rest, this.#options.clock, signal)
  }

  async quiesce(): Promise<void> {
    this.#quiet = true
  }

  close({ keep = [] }: { readonly keep?: readonly Received[] } = {}): Promise<void> {
    this.#closing ??= this.#close(keep)
    return this.#closing
  }

  async #close(keep: readonly Received[]): Promise<void> {
    this.#quiet = true
    this.#leave()
    this.#end.abort()
    const { database, wakeUp } = this.#file
    const kept = JSON.stringify((keep as readonly StoredEvent[]).map((event) => event.seq))
    await database.commit(() => {
      for (const sql of giveBack) database.run(sql, this.#holder, kept)
    })
    wakeUp.announce()
  }

  #checkOpen(): void {
    if (this.#closing !== undefined)
      throw new MillraceError('STOPPED', `The session on '${this.#name}' is closed`)
  }

  #look(thorough: boolean): Promise<Rest> {
    const { database, subscriptions, wakeUp } = this.#file
    return database.read(() => {
      // Before the look: what changes during it is seen as a change.
      const hints = wakeUp.count
      const changes = database.changes()
      // A queue that was removed and declared again has another id.
      const queue = subscriptions.find(this.#name)
      this.#removed = queue === undefined
      this.#queue = queue ?? this.#queue
      return { ...this.#claims.view(this.#claimant(), thorough), hints, changes }
    })
  }

  /** A commit cannot be taken back, so a look that fails behind it is no failure: `ready` lets the engine ask again. */
  async #rememberRest(thorough: boolean): Promise<void> {
    const rest = await this.#look(thorough).catch(() => undefined)
    this.#rest = rest?.ready === true ? undefined : rest
  }

  #keepBeside(): void {
    const sync = this.#keep().then(() => void this.#syncs.delete(sync))
    this.#syncs.add(sync)
  }

  /** Until the disk has what was committed. If it refuses, the next transaction mends the log, or fails. */
  async #keep(): Promise<void> {
    try {
      await this.#file.database.keep()
      this.#refused = false
    } catch (error) {
      if (this.#refused) return
      this.#refused = true
      const cause = storeError(error, this.#file.database.path)
      const message = `What was settled last may come again after a power cut: ${cause.message}`
      this.#options.notice({ code: cause.code, message, queue: this.#name, cause })
    }
  }

  #afterSettling(
    list: readonly Settlement[],
    results: readonly SettleResult[] | undefined,
    tookAll: boolean,
  ): void {
    const { handled, failed, givenBack, keyed } = settledOf(list, results)
    this.#file.rates.count(this.#queue, handled, failed)
    // The end of one event makes the next of its key free; this session has just looked itself, others have not.
    if (givenBack || (keyed && this.#options.order && !tookAll)) this.#file.wakeUp.announce()
  }

  #leaseUntil(ms: number): number {
    return Math.min(Math.ceil(this.#options.clock.monotonic() + ms), latestTime)
  }

  #claimant(): Claimant {
    return { queue: this.#queue, holder: this.#holder, ...timesOf(this.#options.clock, this.#file.booted) }
  }
}
