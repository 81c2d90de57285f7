import { aborted } from '../../clock/aborted.ts'
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
import { exchange, lapsed as takeLapsed } from './claim-sql.ts'
import type { EventTables } from './event-tables.ts'
import { leasesOf, Settlements } from './settlements.ts'
import { StoredEvent, type MessageRow } from './stored-event.ts'
import { untilHint } from './until-hint.ts'

/** What the session saw when there was nothing more to take. */
export interface Rest {
  /** The wake-up's count then. */
  readonly hints: number
  /** When to look again, by the monotonic clock. */
  readonly until: number
}

type ExchangeRow = MessageRow & { readonly state: string | null }
interface State {
  readonly acked: readonly string[] | null
  readonly more: boolean
  readonly lapsed: boolean
  readonly queue: boolean
}

const giveBackAll = `
  UPDATE {messages} SET lease = NULL, lone = false, due = statement_timestamp()
  WHERE queue = $1 AND lease IS NOT NULL AND claim >> 32 = $2 AND id <> ALL($3)`
const register = `
  INSERT INTO {sessions} (queue, alive) VALUES ($1, statement_timestamp() + interval '1 day') RETURNING id::float8 AS id`

export class PostgresSession implements Session {
  readonly claim = 128
  readonly pulls = 1
  readonly #tables: EventTables
  readonly #name: string
  readonly #queue: number
  readonly #options: SessionOptions
  readonly #settlements: Settlements
  readonly #leave: () => void
  readonly #end = new AbortController()
  #id: Promise<number> | undefined
  #lastClaim = 0
  #rest: Rest | undefined
  #quiet = false
  #closing: Promise<void> | undefined

  /** @param ended called at its close */
  constructor(tables: EventTables, name: string, queue: number, options: SessionOptions, ended: () => void) {
    this.#tables = tables
    this.#name = name
    this.#queue = queue
    this.#options = options
    this.#settlements = new Settlements(tables.database)
    const leave = tables.wakeUp.join((notice) => options.notice({ ...notice, queue: name }))
    this.#leave = () => {
      leave()
      ended()
    }
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    this.#checkOpen()
    const { database, wakeUp } = this.#tables
    const max = this.#quiet ? 0 : request.max
    const wantedLapsed = this.#quiet ? 0 : (request.lapsed ?? 0)
    const hints = wakeUp.count
    const results = request.settle.map((): SettleResult => 'lost')
    await this.#settlements.giveBack(this.#queue, request.settle, results)
    const lease = Math.min(this.#options.lease, latestTime)
    const received: StoredEvent[] = []
    if (wantedLapsed > 0) {
      const claim = await this.#nextClaim()
      const rows = await database.rows<MessageRow>(takeLapsed, this.#queue, lease, claim, wantedLapsed)
      received.push(...rows.map((row) => new StoredEvent(row, claim, true)))
    }
    const acks = request.settle.filter(({ as }) => as === 'ack').map(({ of }) => of)
    const claim = await this.#nextClaim()
    const rows = await database.rows<ExchangeRow>(exchange, this.#queue, ...leasesOf(acks), lease, claim, max)
    const state = JSON.parse(rows.find((row) => row.state !== null)!.state!) as State
    const fresh = rows.filter((row) => row.state === null).toSorted((a, b) => a.seq - b.seq)
    received.unshift(...fresh.map((row) => new StoredEvent(row, claim, false)))
    const acked = state.acked === null ? undefined : new Set(state.acked)
    for (const [i, { as, of }] of request.settle.entries()) {
      if (as === 'ack' && acked?.has(of.id) !== false) results[i] = 'done'
    }
    await this.#settlements.sort(this.#queue, request.settle, results)
    const tookAll = fresh.length < max && !state.more
    this.#rest =
      tookAll || max === 0 ? { hints, until: this.#options.clock.monotonic() + wakeUp.pollEvery } : undefined
    this.#afterSettling(request.settle, results)
    if (!state.queue && request.max > 0)
      throw new MillraceError('UNKNOWN_QUEUE', `The queue '${this.#name}' was removed`)
    const settled = results.every((one) => one === 'done') ? undefined : results
    return { received, settled, lapsed: state.lapsed }
  }

  async settle(list: readonly Settlement[]): Promise<readonly SettleResult[] | undefined> {
    return (await this.exchange({ settle: list, max: 0 })).settled
  }

  async extend(list: readonly Received[], ms: number): Promise<readonly ('ok' | 'lost')[]> {
    this.#checkOpen()
    return this.#settlements.extend(this.#queue, list, ms)
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (this.#closing !== undefined) return
    if (this.#quiet) await aborted(signal, this.#end.signal)
    else if (this.#rest !== undefined) {
      const any = AbortSignal.any([signal, this.#end.signal])
      await untilHint(this.#tables.wakeUp, this.#rest, this.#options.clock, any)
    }
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
    if (this.#id === undefined) return
    const ids = keep.map(({ id }) => id)
    await this.#tables.database.run(giveBackAll, this.#queue, await this.#id, ids)
    this.#tables.wakeUp.announce([this.#queue])
  }

  async #nextClaim(): Promise<string> {
    this.#id ??= this.#tables.database.rows<{ id: number }>(register, this.#queue).then(([row]) => row!.id)
    return String((BigInt(await this.#id) << 32n) + BigInt(++this.#lastClaim))
  }

  #checkOpen(): void {
    if (this.#closing !== undefined)
      throw new MillraceError('STOPPED', `The session on '${this.#name}' is closed`)
  }

  #afterSettling(list: readonly Settlement[], results: readonly SettleResult[]): void {
    let handled = 0
    let failed = 0
    let givenBack = false
    for (const [i, { as }] of list.entries()) {
      if (results[i] !== 'done') continue
      if (as === 'ack') handled++
      else if (as !== 'release') failed++
      if (as === 'retry' || as === 'release') givenBack = true
    }
    this.#tables.rates.count(this.#queue, handled, failed)
    if (givenBack) this.#tables.wakeUp.announce([this.#queue])
  }
}
