import { checkOrder } from '../../contract/declared.ts'
import type { Features } from '../../contract/features.ts'
import { publish, publishError, publishWithin } from './publishing.ts'
import { readable } from '../../clock/duration.ts'
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
import { SqliteAdmin } from './admin.ts'
import type { SqliteTransaction } from './sqlite-transaction.ts'
import { declare } from './declaring.ts'
import { openEventFile, type EventFile, type EventFileOptions } from './event-file.ts'
import { Opening } from '../../contract/opening.ts'
import { SqliteSession } from './session.ts'

/**
 * SQLite takes rows of 1 GB, but data passes whole through memory, a few copies at a time, and blocks the event loop for
 * about a millisecond for each MiB.
 */
const maxBytes = 100 * 1024 * 1024

export class SqliteTransport implements Transport<SqliteTransaction> {
  readonly system = 'sqlite'
  readonly features: Features
  readonly admin: SqliteAdmin
  readonly #options: EventFileOptions
  readonly #sessions = new Set<Session>()
  readonly #file: Opening<EventFile>
  #closed = false

  constructor(options: EventFileOptions) {
    this.#options = options
    this.#file = new Opening(() => openEventFile(options))
    this.admin = new SqliteAdmin(() => this.#open())
    this.features = {
      durable: options.durability,
      settlement: 'confirmed',
      fencing: 'strict',
      attempts: 'exact',
      leases: 'timed',
      sharing: 'event',
      counts: 'exact',
      order: 'key',
      onRetry: ['park', 'pass'],
      delayClock: 'machine',
      delayResolution: 50,
      dedupe: 0,
      unrouted: 'kept',
      retention: `waiting and dead events until they are handled or purged, unrouted ones for ${readable(options.retention)}`,
      processes: true,
      filters: true,
      transactions: 'publish',
      maxBytes,
    }
  }

  async declare(queues: readonly QueueSpec[]): Promise<DeclareReport> {
    return declare(queues, await this.#open())
  }

  async publish(events: readonly Outgoing[], options: TransportPublishOptions = {}): Promise<void> {
    if (events.length === 0) return
    let file: EventFile
    try {
      file = await this.#open()
    } catch (error) {
      throw publishError(error, events.length, options.signal)
    }
    const now = Math.floor(file.clock.now())
    if (options.transaction !== undefined) {
      if (options.signal?.aborted === true)
        throw publishError(options.signal.reason, events.length, options.signal)
      return file.commits.begin(publishWithin(options.transaction, events, now, file))
    }
    try {
      await publish(events, options, now, file)
    } finally {
      // Also if the outcome is unknown: they may be there.
      file.wakeUp.announce()
    }
  }

  async open(queue: string, options: SessionOptions): Promise<Session> {
    const file = await this.#open()
    const { id, ordered } = await file.database.read(() => {
      const found = file.subscriptions.queue(queue)
      return { id: found, ordered: file.subscriptions.isOrdered(found) }
    })
    checkOrder(queue, ordered, options.order)
    const session: SqliteSession = new SqliteSession(file, queue, id, options, () =>
      this.#sessions.delete(session),
    )
    this.#sessions.add(session)
    return session
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const opened = await this.#file.found()
    if (opened === undefined) return
    try {
      await Promise.all([...this.#sessions].map((session) => session.close()))
      await opened.rates.flush()
      opened.commits.close()
      opened.wakeUp.close()
    } finally {
      await opened.database.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #open(): Promise<EventFile> {
    if (this.#closed) return Promise.reject(new MillraceError('STOPPED', `${this.#options.path} is closed`))
    return this.#file.use()
  }
}
