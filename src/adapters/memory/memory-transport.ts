import { systemClock, type Clock } from '../../clock/clock.ts'
import { checkOrder } from '../../contract/declared.ts'
import type { Features } from '../../contract/features.ts'
import { PublishError, type PublishOutcome } from '../../contract/publish-error.ts'
import type {
  DeclareReport,
  QueueSpec,
  Session,
  SessionOptions,
  Transport,
  TransportPublishOptions,
} from '../../contract/transport.ts'
import type { StoredDeadLetter, TransportAdmin } from '../../contract/transport-admin.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { encodeHeads, sharedHeads } from '../../event/head.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import { MemoryAdmin } from './memory-admin.ts'
import type { MemoryQueue } from './memory-queue.ts'
import { MemorySession } from './memory-session.ts'
import { Queues } from './queues.ts'
import { store, type StoredEvent } from './stored-event.ts'
import { Unrouted } from './unrouted.ts'

const features: Features = {
  durable: 'memory',
  settlement: 'confirmed',
  fencing: 'strict',
  attempts: 'exact',
  leases: 'timed',
  sharing: 'event',
  counts: 'exact',
  order: 'key',
  onRetry: ['park', 'pass'],
  delayClock: 'process',
  delayResolution: 20,
  dedupe: 0,
  unrouted: 'kept',
  retention:
    'until the process ends; of unrouted events the latest 10,000, and fewer before 512 MiB are held in all',
  processes: false,
  filters: true,
  transactions: false,
  maxBytes: 64 * 1024 * 1024,
}

/** Bytes that may be held before publishes are refused. */
const defaultRoom = 512 * 1024 * 1024

/** Queues in the memory of this process. Complete in the contract and nothing else, so that other transports can be read beside it. */
export class MemoryTransport implements Transport<never> {
  readonly system = 'memory'
  readonly features = features
  readonly admin: TransportAdmin
  /** Tells the age of events, and what is due, to those who ask without a session. Sessions bring their own. */
  readonly #clock: Clock
  readonly #serialises: boolean
  readonly #room: number
  readonly #queues = new Queues()
  readonly #unrouted = new Unrouted()
  readonly #sessions = new Set<Session>()
  readonly #listeners = new Set<() => void>()
  #sequence = 0
  #closed = false

  /**
   * @param options.serialises false: attributes stay objects, so that a benchmark sees the cost of the engine alone
   * @param options.room bytes that may be held before publishes are refused. Default: 512 MiB
   */
  constructor(
    options: { readonly clock?: Clock; readonly serialises?: boolean; readonly room?: number } = {},
  ) {
    const { clock = systemClock, serialises = true, room = defaultRoom } = options
    this.#room = room
    this.#clock = clock
    this.#serialises = serialises
    this.admin = new MemoryAdmin({
      clock,
      queues: () => this.#open(),
      changed: (queue) => this.#changed(queue),
      admit: (queue, event, trail) =>
        queue.add({ ...event, sequence: ++this.#sequence, takenAt: clock.now() }, trail),
      redriveUnrouted: () => this.#redriveUnrouted(),
    })
  }

  async declare(specs: readonly QueueSpec[]): Promise<DeclareReport> {
    const queues = this.#open()
    const fresh = new Map(specs.filter(({ name }) => !queues.has(name)).map((spec) => [spec.name, spec]))
    const kept = specs.flatMap((spec) => queues.declare(spec))
    const eager = [...fresh.values()]
      .filter(({ from }) => from === 'beginning')
      .map(({ name }) => queues.get(name))
    // Once a queue has an event it is routed: each of the new queues gets a copy, a later one does not.
    this.#unrouted.retry((event) => {
      const takers = eager.filter((queue) => queue.subscribesTo(event.topic, event.type))
      for (const queue of takers) queue.add(event)
      return takers.length > 0
    })
    for (const queue of eager) this.#changed(queue)
    return { created: [...fresh.keys()], kept }
  }

  async publish(events: readonly Outgoing[], options: TransportPublishOptions = {}): Promise<void> {
    if (this.#closed) throw refusal(events, 'STOPPED', 'The transport is closed')
    if (options.signal?.aborted === true)
      throw refusal(events, 'PUBLISH_ABORTED', 'Aborted before anything was sent')
    if (options.transaction !== undefined) {
      throw refusal(events, 'TRANSACTION_UNSUPPORTED', 'The memory transport has no transactions')
    }
    if (!this.#makeRoom()) {
      const message = `The memory transport holds ${Math.round(this.#room / 2 ** 20)} MiB and takes no more until events are handled or purged`
      throw refusal(events, 'STORE_FULL', message, true)
    }
    const takenAt = this.#clock.now()
    const touched = new Set<MemoryQueue>()
    const failedKeys = new Set<string>()
    const heads = this.#headsOf(events)
    const results = events.map((event, i): PublishOutcome => {
      const behindFailed = event.key !== undefined && failedKeys.has(event.key)
      if (event.size > features.maxBytes || behindFailed) {
        if (event.key !== undefined) failedKeys.add(event.key)
        return 'rejected'
      }
      const stored = store(event, heads[i] as StoredEvent['head'], ++this.#sequence, takenAt)
      if (!this.#route(stored, touched)) this.#unrouted.keep(stored)
      return 'taken'
    })
    for (const queue of touched) this.#changed(queue)
    if (results.includes('rejected')) {
      const message = `Some events are larger than ${features.maxBytes} bytes`
      throw new PublishError(message, { results, retryable: false, code: 'EVENT_TOO_LARGE' })
    }
  }

  async open(queue: string, options: SessionOptions): Promise<Session> {
    const target = this.#open().get(queue)
    checkOrder(queue, target.order, options.order)
    const session: MemorySession = new MemorySession(target, options, {
      changed: () => this.#changed(target),
      closed: () => this.#sessions.delete(session),
    })
    this.#sessions.add(session)
    return session
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#sessions].map((session) => session.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** For test kits: calls `listener` after every change, such as a publish, a claim or a settlement. Returns how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** For test kits: milliseconds until the next waiting event is due; undefined if none waits for that. */
  get dueIn(): number | undefined {
    const due = this.#queues.all().map((queue) => {
      queue.turn(this.#clock)
      return queue.dueIn(this.#clock) ?? Infinity
    })
    const next = Math.min(...due)
    return next === Infinity ? undefined : next
  }

  /** For test kits: the dead letters of a queue, also after `close`. */
  deadLetters(queue: string): readonly StoredDeadLetter[] {
    return this.#queues.get(queue).dead.page(Infinity, undefined)
  }

  #open(): Queues {
    if (this.#closed) throw new MillraceError('STOPPED', 'The transport is closed')
    return this.#queues
  }

  /**
   * Gives up the oldest unrouted events for what is to come. Tells whether there is room then. A call is taken while there is
   * any, so that the largest event fits; what was taken once has its place without asking.
   */
  #makeRoom(): boolean {
    const room = this.#room - this.#queues.bytes
    if (room <= 0) return false
    while (this.#unrouted.bytes >= room) this.#unrouted.drop()
    return true
  }

  #headsOf(events: readonly Outgoing[]): readonly StoredEvent['head'][] {
    const heads = events.map(({ head }) => head)
    return this.#serialises ? encodeHeads(heads) : sharedHeads(heads, (head) => head)
  }

  /** Each queue that subscribes gets one copy. Tells whether there is one. */
  #route(event: StoredEvent, touched: Set<MemoryQueue>): boolean {
    const queues = this.#queues.for(event)
    for (const queue of queues) {
      queue.add(event)
      touched.add(queue)
    }
    return queues.length > 0
  }

  #redriveUnrouted(): number {
    const touched = new Set<MemoryQueue>()
    const count = this.#unrouted.retry((event) => this.#route(event, touched))
    for (const queue of touched) this.#changed(queue)
    return count
  }

  #changed(queue: MemoryQueue): void {
    for (const look of queue.watchers) look()
    for (const listener of this.#listeners) listener()
  }
}

function refusal(
  events: readonly Outgoing[],
  code: MillraceError['code'],
  message: string,
  retryable = false,
): PublishError {
  return new PublishError(message, { results: events.map(() => 'rejected'), retryable, code })
}
