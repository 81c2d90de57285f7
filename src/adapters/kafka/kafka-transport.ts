import { checkOrder } from '../../contract/declared.ts'
import type { Features } from '../../contract/features.ts'
import { Opening } from '../../contract/opening.ts'
import type {
  DeclareReport,
  Notice,
  QueueSpec,
  Session,
  SessionOptions,
  Transport,
  TransportPublishOptions,
} from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import { KafkaAdmin } from './admin.ts'
import { defaultMaxBytes } from './connection/broker-settings.ts'
import { openCluster, type Cluster, type ClusterOptions } from './connection/cluster.ts'
import { failure } from './connection/failures.ts'
import { publish, refused } from './producing/publishing.ts'
import { QueueConsumer } from './consuming/queue-consumer.ts'
import { KafkaSession } from './consuming/session.ts'
import { registryTopic } from './queues/topics.ts'

/** What a record and its batch take besides what the size of an event counts. */
const framing = 1_024

const promises: Omit<Features, 'maxBytes'> = {
  durable: 'replicated',
  settlement: 'recorded',
  fencing: 'none',
  attempts: 'failures',
  leases: 'session',
  counts: 'lag',
  sharing: 'lane',
  order: 'key',
  onRetry: ['park', 'pass'],
  delayClock: 'process',
  delayResolution: 200,
  dedupe: 0,
  unrouted: 'log',
  retention: 'waiting and dead events until they are handled or purged, others as their topic says',
  processes: true,
  filters: true,
  transactions: false,
}

const weak: Notice = {
  code: 'REPLICATION_WEAK',
  message:
    'The brokers have min.insync.replicas=1: what is published can be lost with the one broker that has it',
}

function strangeAt(offset: number): Notice {
  return {
    code: 'REGISTRY_DAMAGED',
    message: `The record at offset ${offset} of '${registryTopic}' says nothing about a queue; it is passed over, and others like it`,
  }
}

function stopped(): MillraceError {
  return new MillraceError('STOPPED', 'The transport is closed')
}

interface OpenQueue {
  readonly consumer: QueueConsumer
  readonly opened: Promise<void>
}

export class KafkaTransport implements Transport<never> {
  readonly system = 'kafka'
  readonly admin: KafkaAdmin
  readonly #options: ClusterOptions
  readonly #queues = new Map<string, OpenQueue>()
  readonly #local = new Map<string, QueueConsumer>()
  readonly #sessions = new Set<Session>()
  readonly #cluster = new Opening(() => this.#connect())
  #maxBytes = defaultMaxBytes - framing
  #warned = false
  #warnedOfRegistry = false
  #closing: Promise<void> | undefined

  constructor(options: ClusterOptions) {
    this.#options = options
    this.admin = new KafkaAdmin({ open: () => this.#open(), local: (queue) => this.#local.get(queue) })
  }

  /** `maxBytes` is the usual one until the brokers have told theirs. */
  get features(): Features {
    return { ...promises, maxBytes: this.#maxBytes }
  }

  async declare(queues: readonly QueueSpec[]): Promise<DeclareReport> {
    const { registry } = await this.#open()
    return registry.declare(queues)
  }

  async publish(events: readonly Outgoing[], options: TransportPublishOptions = {}): Promise<void> {
    if (events.length === 0) return
    let cluster: Cluster
    try {
      cluster = await this.#open()
    } catch (error) {
      throw refused(events, error)
    }
    await publish(events, options, { ...cluster, maxBytes: this.#maxBytes })
  }

  async open(name: string, options: SessionOptions): Promise<Session> {
    try {
      return await this.#openSession(name, options)
    } catch (error) {
      // A close may have taken away what it was waiting for.
      throw this.#closing === undefined ? error : stopped()
    }
  }

  async #openSession(name: string, options: SessionOptions): Promise<Session> {
    const cluster = await this.#open()
    const queue = await cluster.registry.get(name)
    checkOrder(name, queue.order, options.order)
    if (this.#closing !== undefined) throw stopped()
    const { consumer, opened } =
      this.#queues.get(name) ??
      this.#consume(name, new QueueConsumer(cluster, queue, { order: queue.order, lease: options.lease }))
    await opened
    if (this.#closing !== undefined) throw stopped()
    const session: KafkaSession = new KafkaSession({
      consumer,
      options,
      producing: cluster.producing,
      closed: () => this.#closed(session, name, consumer),
    })
    this.#sessions.add(session)
    if (cluster.settings.minInSync === 1 && !this.#warned) options.notice(weak)
    this.#warned = true
    const { strange } = cluster.registry
    if (strange !== undefined && !this.#warnedOfRegistry) options.notice(strangeAt(strange))
    this.#warnedOfRegistry ||= strange !== undefined
    return session
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #consume(name: string, consumer: QueueConsumer): OpenQueue {
    const queue = { consumer, opened: this.#begin(name, consumer) }
    this.#queues.set(name, queue)
    return queue
  }

  async #begin(name: string, consumer: QueueConsumer): Promise<void> {
    try {
      await consumer.open()
    } catch (error) {
      this.#queues.delete(name)
      await consumer.close()
      throw failure(error, `The queue '${name}' could not be opened`)
    }
    this.#local.set(name, consumer)
  }

  /** The last session of a queue takes its consumer along. */
  async #closed(session: Session, name: string, consumer: QueueConsumer): Promise<void> {
    this.#sessions.delete(session)
    if (consumer.sessions > 0) return consumer.flush()
    this.#queues.delete(name)
    this.#local.delete(name)
    await consumer.close()
  }

  async #close(): Promise<void> {
    // Whoever joined its group later would stay in it.
    const opening = [...this.#queues.values()].filter(({ consumer }) => consumer.sessions === 0)
    await Promise.all([
      ...[...this.#sessions].map((session) => session.close()),
      ...opening.map(({ consumer }) => consumer.close()),
    ])
    await (await this.#cluster.found())?.close()
  }

  async #open(): Promise<Cluster> {
    if (this.#closing !== undefined) throw stopped()
    return await this.#cluster.use()
  }

  /** Each session hears of it besides. Whoever only declares or looks has no other ear than the process. */
  #warn(offset: number): void {
    const { code, message } = strangeAt(offset)
    if (this.#sessions.size === 0) process.emitWarning(message, { type: 'MillraceWarning', code })
  }

  async #connect(): Promise<Cluster> {
    const cluster = await openCluster(this.#options, (offset) => this.#warn(offset))
    this.#maxBytes = cluster.settings.maxBytes - framing
    return cluster
  }
}
