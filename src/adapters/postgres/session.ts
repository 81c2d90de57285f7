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
import { Claims } from './claims.ts'
import type { EventTables } from './event-tables.ts'
import type { Work } from './inbox.ts'
import { Presence } from './presence.ts'
import { leaseOf, Settlements } from './settlements.ts'
import { Slots } from './slots.ts'
import type { StoredEvent } from './stored-event.ts'
import { Tending } from './tending.ts'
import { untilHint, type Rest } from './until-hint.ts'

export class PostgresSession implements Session {
  readonly claim: number
  readonly pulls: number
  readonly #tables: EventTables
  readonly #name: string
  readonly #queue: number
  readonly #options: SessionOptions
  readonly #presence: Presence
  readonly #slots: Slots
  readonly #claims: Claims
  readonly #settlements: Settlements
  readonly #tending: Tending
  readonly #leave: () => void
  readonly #end = new AbortController()
  /** Whether something is not known: what was claimed, or which slots are the session's. It then begins anew. */
  #doubtful = true
  readonly #underWay = new Set<Promise<void>>()
  #last: Promise<void> = Promise.resolve()
  #entering: Promise<void> | undefined
  /** undefined: there may be something to take. */
  #rest: Rest | undefined
  #quiet = false
  #closing: Promise<void> | undefined

  /** @param ended called at its close */
  constructor(tables: EventTables, name: string, queue: number, options: SessionOptions, ended: () => void) {
    const { database, wakeUp } = tables
    const { clock, order } = options
    const lease = Math.min(options.lease, latestTime)
    this.#tables = tables
    this.#name = name
    this.#queue = queue
    this.#options = options
    // With order by key, what a second exchange took could come before what the first did. So each does more instead: that
    // withholds little from others, for what is in the slots of this session they may not have anyway.
    this.pulls = order ? 1 : 2
    this.claim = order ? 256 : 128
    this.#presence = new Presence(database, queue, lease, order)
    this.#slots = new Slots(database, queue)
    this.#settlements = new Settlements(database, queue)
    this.#claims = new Claims({
      database,
      queue,
      presence: this.#presence,
      slots: this.#slots,
      clock,
      lease,
      ordered: order,
      pollEvery: () => wakeUp.pollEvery,
      revive: () => this.#revive(),
    })
    this.#tending = new Tending({
      presence: this.#presence,
      slots: this.#slots,
      ordered: order,
      clock,
      alone: (run) => this.#inTurn(run),
      gained: (slots) => this.#gained(slots),
      announce: () => wakeUp.announceSlots(queue),
      failed: () => this.#doubt(),
    })
    const leave = wakeUp.join(
      queue,
      (notice) => options.notice({ ...notice, queue: name }),
      () => this.#tending.now(),
    )
    this.#leave = () => {
      leave()
      ended()
    }
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    const max = this.#quiet ? 0 : request.max
    const lapsed = this.#quiet ? 0 : (request.lapsed ?? 0)
    if (max === 0 && lapsed === 0) return this.#inTurn(() => this.#exchange(request.settle, 0, 0))
    const asked = this.#tending.asks()
    try {
      return await this.#inTurn(() => this.#exchange(request.settle, max, lapsed))
    } finally {
      asked()
    }
  }

  async settle(list: readonly Settlement[]): Promise<readonly SettleResult[] | undefined> {
    return this.#inTurn(async () => {
      this.#checkOpen()
      const results = list.map((): SettleResult => 'lost')
      await this.#settling(list, async () => {
        await this.#giveBack(list, results)
        const acks = list.filter(isAck).map(({ of }) => of)
        await this.#answer(list, results, await this.#claims.acknowledge(acks))
      })
      return allDone(results) ? undefined : results
    })
  }

  async #exchange(settle: readonly Settlement[], max: number, lapsed: number): Promise<ExchangeResult> {
    this.#checkOpen()
    const results = settle.map((): SettleResult => 'lost')
    return this.#settling(settle, async () => {
      if (this.#doubtful || this.#entering !== undefined) await this.#enter()
      const hints = this.#tables.wakeUp.count(this.#queue)
      await this.#giveBack(settle, results)
      const acks = settle.filter(isAck).map(({ of }) => of)
      const { events, acked, ...found } = await this.#claims.take(acks, max, lapsed)
      await this.#answer(settle, results, acked).catch((error: unknown) => {
        // The caller does not get what was taken.
        this.#presence.doubt([...new Set(events.map(({ claim }) => claim))])
        throw error
      })
      this.#rest = found.more ? undefined : { hints, until: this.#options.clock.monotonic() + found.wait }
      if (max + lapsed > 0) this.#tending.found(events.length < max + lapsed)
      return { received: events, settled: allDone(results) ? undefined : results, lapsed: found.lapsed }
    })
  }

  async extend(list: readonly Received[], ms: number): Promise<readonly ('ok' | 'lost')[]> {
    this.#checkOpen()
    const wanted = Math.min(ms, latestTime)
    let extended: ReadonlySet<Received> | undefined
    for (let { id } = this.#presence; id !== undefined && extended === undefined;) {
      extended = await this.#settlements.extend(id, list, wanted)
      // Its row may end too early; or it begins anew just now, with another one.
      const isTooShort = extended === undefined && this.#presence.id === id
      if (isTooShort && !(await this.#presence.beat(wanted))) {
        await this.#entering
        if (this.#presence.id === id) break
      }
      id = this.#presence.id
    }
    return list.map((one) => (extended?.has(one) === true ? 'ok' : 'lost'))
  }

  async transact(of: Received, run: Work): Promise<void> {
    this.#checkOpen()
    // A later queue of the same name has handled nothing yet.
    await this.#tables.inbox.handle(`#${this.#queue}`, of.id, run, (transaction) =>
      this.#settlements.ackLast(transaction, of as StoredEvent),
    )
    this.#tables.rates.count(this.#queue, 1, 0)
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (this.#closing !== undefined) return
    const end = AbortSignal.any([signal, this.#end.signal])
    if (this.#quiet) return aborted(end)
    const asked = this.#tending.asks()
    if (this.#rest !== undefined && !this.#doubtful)
      await untilHint(this.#tables.wakeUp, this.#queue, this.#rest, this.#options.clock, end)
    asked()
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
    await this.#tending.close()
    await Promise.all(this.#underWay)
    await this.#presence.leave(keep)
    this.#tables.wakeUp.announce([this.#queue])
    this.#tables.wakeUp.announceSlots(this.#queue)
  }

  /** With order by key one exchange, settling or moving of slots after the other. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#options.order ? this.#last.then(run) : run()
    const over = (): void => void this.#underWay.delete(ended)
    const ended = result.then(over, over)
    this.#underWay.add(ended)
    this.#last = ended
    return result
  }

  /** Runs what settles; if it fails, it may have been done, and claims may have been made. */
  async #settling<T>(list: readonly Settlement[], run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      this.#settlements.doubt(list)
      this.#doubt()
      throw error
    }
  }

  async #giveBack(list: readonly Settlement[], results: SettleResult[]): Promise<void> {
    if (!list.every(isAck)) await this.#settlements.giveBack(list, results)
    for (const { as, of } of list) {
      const { key, ordered } = of as StoredEvent
      if (key === undefined || !ordered) continue
      if (as === 'retry' || as === 'release') this.#claims.kept.add(key)
      else this.#claims.kept.changed(key)
    }
  }

  /** @param acked leases; undefined: all */
  async #answer(
    list: readonly Settlement[],
    results: SettleResult[],
    acked: ReadonlySet<string> | undefined,
  ): Promise<void> {
    list.forEach((one, i) => {
      if (isAck(one) && acked?.has(leaseOf(one.of)) !== false) results[i] = 'done'
    })
    if (!allDone(results)) await this.#settlements.sort(list, results)
    const { handled, failed, givenBack } = settledOf(list, results)
    this.#tables.rates.count(this.#queue, handled, failed)
    if (givenBack) this.#tables.wakeUp.announce([this.#queue])
    if (list.length > 0) this.#tending.settled()
  }

  /** @throws MillraceError UNKNOWN_QUEUE if it was removed */
  #enter(): Promise<void> {
    this.#entering ??= this.#begin().finally(() => (this.#entering = undefined))
    return this.#entering
  }

  async #begin(): Promise<void> {
    this.#doubtful = false
    try {
      const slots = await this.#presence.enter()
      if (slots === undefined)
        throw new MillraceError('UNKNOWN_QUEUE', `The queue '${this.#name}' was removed`)
      this.#slots.set([])
      this.#claims.kept.clear()
      await this.#gained(slots)
      await this.#tending.begin()
    } catch (error) {
      this.#doubtful = true
      throw error
    }
  }

  async #gained(slots: readonly number[]): Promise<void> {
    await this.#claims.kept.load(slots)
    this.#slots.add(slots)
    this.#claims.reset()
    this.#wake()
  }

  /** Called by a claim that took nothing since the session seemed dead. */
  async #revive(): Promise<void> {
    if (!(await this.#presence.beat())) await this.#enter()
  }

  #doubt(): void {
    this.#doubtful = true
    this.#wake()
  }

  #wake(): void {
    this.#rest = undefined
    this.#tables.wakeUp.hint(this.#queue)
  }

  #checkOpen(): void {
    if (this.#closing !== undefined)
      throw new MillraceError('STOPPED', `The session on '${this.#name}' is closed`)
  }
}

const isAck = ({ as }: Settlement): boolean => as === 'ack'

function allDone(results: readonly SettleResult[]): boolean {
  return results.every((result) => result === 'done')
}
