import { MillraceError } from 'millrace'
import {
  checkOrder,
  keptOf,
  matches,
  PublishError,
  type DeclareReport,
  type Features,
  type Outgoing,
  type QueueSpec,
  type Session,
  type SessionOptions,
  type Transport,
  type TransportAdmin,
  type TransportPublishOptions,
} from 'millrace/contract'
import { ArrayAdmin, find, same } from './array-admin.ts'
import { ArrayQueue } from './array-queue.ts'
import { ArraySession } from './array-session.ts'

/** A transport that keeps its queues in arrays: short enough to read, complete in the contract, and slow. */
export function arrays(): Transport<never> {
  return new ArrayTransport()
}

class ArrayTransport implements Transport<never> {
  readonly system = 'arrays'
  readonly features: Features = {
    durable: 'memory',
    settlement: 'confirmed',
    fencing: 'strict',
    attempts: 'exact',
    leases: 'timed',
    sharing: 'event',
    counts: 'exact',
    order: 'none',
    onRetry: [],
    delayClock: 'process',
    delayResolution: 50,
    dedupe: 0,
    unrouted: 'error',
    retention: 'as long as the process lives',
    processes: false,
    filters: true,
    transactions: false,
    maxBytes: 16 * 1024 * 1024,
  }
  readonly admin: TransportAdmin
  readonly #queues = new Map<string, ArrayQueue>()
  readonly #sessions = new Set<ArraySession>()
  #closed = false

  constructor() {
    this.admin = new ArrayAdmin(() => {
      this.#check()
      return this.#queues
    })
  }

  async declare(queues: readonly QueueSpec[]): Promise<DeclareReport> {
    this.#check()
    const created: string[] = []
    const kept: string[] = []
    for (const spec of queues) {
      let queue = this.#queues.get(spec.name)
      if (queue === undefined) {
        queue = new ArrayQueue({ ...spec, order: false })
        this.#queues.set(spec.name, queue)
        created.push(spec.name)
      }
      kept.push(...keptOf(spec, queue.spec))
      const old = queue.spec.subscriptions.filter((one) => !spec.subscriptions.some((two) => same(one, two)))
      queue.spec = { ...queue.spec, subscriptions: [...old, ...spec.subscriptions] }
    }
    return { created, kept }
  }

  async publish(events: readonly Outgoing[], options: TransportPublishOptions = {}): Promise<void> {
    this.#check()
    if (options.transaction !== undefined)
      throw new MillraceError('TRANSACTION_UNSUPPORTED', 'arrays has no transactions')
    if (options.signal?.aborted) throw refused(events, 'PUBLISH_ABORTED', 'The publish was aborted')
    if (events.some(({ size }) => size > this.features.maxBytes))
      throw refused(events, 'EVENT_TOO_LARGE', 'An event is too large')
    const takers = events.map((event) =>
      [...this.#queues.values()].filter(({ spec }) => subscribes(spec, event)),
    )
    if (takers.some((queues) => queues.length === 0)) {
      throw refused(events, 'PUBLISH_FAILED', 'No queue subscribes to the event')
    }
    events.forEach((event, i) => takers[i]?.forEach((queue) => queue.add(event)))
  }

  async open(queue: string, options: SessionOptions): Promise<Session> {
    this.#check()
    const target = find(this.#queues, queue)
    checkOrder(queue, target.spec.order, options.order)
    return new ArraySession(target, options, this.#sessions)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const session of this.#sessions) await session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(): void {
    if (this.#closed) throw new MillraceError('STOPPED', 'The transport was closed')
  }
}

/** All or nothing: simple to say, and allowed. */
function refused(events: readonly Outgoing[], code: MillraceError['code'], message: string): PublishError {
  return new PublishError(message, {
    code,
    results: events.map(() => 'rejected'),
    retryable: code === 'PUBLISH_ABORTED',
  })
}

function subscribes({ subscriptions }: QueueSpec, { type, topic }: Outgoing): boolean {
  return subscriptions.some((one) => (one.topic === '*' || one.topic === topic) && matches(one.pattern, type))
}
