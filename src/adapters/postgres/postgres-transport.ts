import { readable } from '../../clock/duration.ts'
import { checkOrder } from '../../contract/declared.ts'
import type { Features } from '../../contract/features.ts'
import { Opening } from '../../contract/opening.ts'
import type {
  DeclareReport,
  QueueSpec,
  Session,
  SessionOptions,
  Transport,
  TransportPublishOptions,
} from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import { PostgresAdmin } from './admin.ts'
import { declare } from './declaring.ts'
import { openEventTables, type EventTables, type EventTablesOptions } from './event-tables.ts'
import { connectionsFor, type Work } from './inbox.ts'
import { publish, publishError } from './publishing.ts'
import { PostgresSession } from './session.ts'
import type { PostgresTransactions } from './transactions/joined-transaction.ts'
import { publishInTransaction } from './transactions/publishing.ts'

/** Postgres takes texts of 1 GB, but data passes whole through memory, a few copies at a time, here and there. */
const maxBytes = 100 * 1024 * 1024

/** With arrays of 200 by four callers this was faster than two; more were not tried. */
const mostOverlapping = 4

export class PostgresTransport implements Transport<PostgresTransactions> {
  readonly system = 'postgres'
  readonly admin: PostgresAdmin
  readonly #options: EventTablesOptions
  readonly #sessions = new Set<Session>()
  readonly #tables: Opening<EventTables>
  /** How many events may be handled in transactions at a time. */
  #transactions = 0
  #durable: Features['durable'] = 'fsync'
  #closing: Promise<void> | undefined

  constructor(options: EventTablesOptions) {
    this.#options = options
    this.#tables = new Opening(() => this.#connect())
    this.admin = new PostgresAdmin(() => this.#open())
  }

  /** `durable` is the usual one until the server has told its settings. */
  get features(): Features {
    return {
      durable: this.#durable,
      settlement: 'confirmed',
      fencing: 'strict',
      attempts: 'exact',
      leases: 'timed',
      sharing: 'event',
      counts: 'exact',
      order: 'key',
      onRetry: ['park', 'pass'],
      delayClock: 'server',
      delayResolution: 50,
      dedupe: 'waiting',
      unrouted: 'kept',
      retention: `waiting and dead events until they are handled or purged, unrouted ones for ${readable(this.#options.retention)}`,
      processes: true,
      filters: true,
      transactions: true,
      maxBytes,
    }
  }

  async declare(queues: readonly QueueSpec[]): Promise<DeclareReport> {
    return declare(queues, await this.#open())
  }

  async publish(events: readonly Outgoing[], options: TransportPublishOptions = {}): Promise<void> {
    if (events.length === 0) return
    let tables: EventTables
    try {
      tables = await this.#open()
    } catch (error) {
      throw publishError(events, error)
    }
    const { transaction, signal } = options
    if (transaction === undefined) await publish(events, options, tables)
    else await publishInTransaction(events, transaction, signal, tables)
  }

  async open(queue: string, options: SessionOptions): Promise<Session> {
    const tables = await this.#open()
    const { id, ordered } = await tables.subscriptions.queue(queue)
    checkOrder(queue, ordered, options.order)
    if (this.#closing !== undefined) throw stopped()
    const free = this.reserve(options.transactions ?? 0)
    const session: PostgresSession = new PostgresSession(tables, queue, id, options, () => {
      free()
      this.#sessions.delete(session)
    })
    this.#sessions.add(session)
    if (tables.weakness !== undefined) options.notice({ ...tables.weakness, queue })
    return session
  }

  /**
   * On several connections: while one statement is committed, others are made. All may wait for ids that transactions of handlers have
   * written, and whoever renews the leases of those needs a connection, too, as does each session to take and to settle.
   */
  get overlaps(): number {
    const spare = this.#most - connectionsFor(this.#transactions, this.#listens) - this.#sessions.size
    const least = this.#transactions === 0 ? 2 : 1
    return Math.max(least, Math.min(1 + spare, mostOverlapping))
  }

  reserve(transactions: number): () => void {
    const wanted = this.#transactions + transactions
    const needed = connectionsFor(wanted, this.#listens)
    if (transactions > 0 && this.#most < needed) {
      const message = `The transactional queues of this process may use ${wanted} connections at a time, so the pool needs ${needed}; it has ${this.#most}`
      throw new MillraceError('INVALID_OPTION', message)
    }
    this.#transactions = wanted
    return () => (this.#transactions -= transactions)
  }

  async transact(queue: string, id: string, run: Work): Promise<void> {
    await (await this.#open()).inbox.handle(queue, id, run)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const opened = await this.#tables.found()
    if (opened === undefined) return
    try {
      await Promise.all([...this.#sessions].map((session) => session.close()))
    } finally {
      await opened.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** How many connections the pool makes at most, as far as it says so. */
  get #most(): number {
    const { connect } = this.#options
    return ('pool' in connect ? connect.pool.options?.max : connect.max) ?? Infinity
  }

  /** Whether one of those connections listens: a pool of the user's is not made larger for that. */
  get #listens(): boolean {
    const { connect, wake } = this.#options
    return 'pool' in connect && wake.wake !== 'interval'
  }

  async #open(): Promise<EventTables> {
    if (this.#closing !== undefined) throw stopped()
    const tables = await this.#tables.use()
    tables.orphans.soon()
    return tables
  }

  async #connect(): Promise<EventTables> {
    const tables = await openEventTables(this.#options)
    this.#durable = tables.weakness === undefined ? 'fsync' : 'process'
    return tables
  }
}

function stopped(): MillraceError {
  return new MillraceError('STOPPED', 'The transport is closed')
}
